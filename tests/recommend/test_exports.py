from musicrec.recommend.exports import model_names


def test_models_are_named_by_their_folder_or_their_run_and_never_twice():
    folders = ["/p/tempo", "/runs/tempo/export", "/x/tempo-2", "runs/key/export", "/q/tempo/"]
    assert model_names(folders) == ["tempo", "tempo-2", "tempo-2-2", "key", "tempo-3"]
