"""The version of all of tracejob, where it can be read without the package's metadata: images hold none."""

VERSION = "0.1.0"
