"""Public datasets on the user's disk become manifests: a function a dataset, a file each.

An adapter takes `root`, the folder of the dataset, `folder`, where manifests go, and the dataset's own options, all by
keyword. It finds its files with a `Source`, and hands that a function that reads them into a frame; the source checks
the frame against the disk and against what is published, and keeps the manifest. CONTRIBUTING.md has an example.
"""
