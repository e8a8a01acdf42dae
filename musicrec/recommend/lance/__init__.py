"""A store of libraries in LanceDB: a folder or an object store, for collections that outgrow one file."""
