"""Stands in for setuptools while source packages are downloaded.

pip asks every source package for its metadata, by running the package's own build. Here this
package answers instead, so that nothing of a downloaded package is ever run and no unpinned build
tool is fetched for it. It never builds or installs anything.
"""
