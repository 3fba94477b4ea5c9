"""Candles from a folder of files on this machine."""

from kronosforge.source.files.folder import FilesSource as FilesSource
