"""Adapters turn public datasets on the user's disk into manifests: one function per dataset, one file each.

An adapter takes `root` (the folder of the dataset), `folder` (where manifests are written) and the options of the
dataset, all by keyword. It finds its files with a `DatasetSource` and gives it a function that reads them into a frame.
The source compares the frame with the disk and with published numbers, and writes the manifest. CONTRIBUTING.md has an
example.
"""
