"""What can go wrong with model versions, their files and their training."""


class MlopsError(Exception):
    """Base of every error of this app."""


class NoChampion(MlopsError):
    """No model version has been promoted yet."""

    def __init__(self) -> None:
        super().__init__("No model has been trained yet.")


class ArtifactCorrupt(MlopsError):
    """A stored model file is missing or is not the file that was registered."""

    def __init__(self, version: str, reason: str) -> None:
        super().__init__(f"The files of model {version} cannot be used: {reason}.")
        self.version = version
        self.reason = reason


class InsufficientHistory(MlopsError):
    """Too few sessions to train on."""

    def __init__(self, have: int, needed: int) -> None:
        super().__init__(f"{have} sessions of history are too few to train on; {needed} are needed.")
        self.have = have
        self.needed = needed


class PromotionRefused(MlopsError):
    """The version may not become champion."""

    def __init__(self, version: str, reason: str) -> None:
        super().__init__(f"Model {version} was not promoted: {reason}.")
        self.version = version
        self.reason = reason


class VersionUnknown(MlopsError):
    """There is no model version of this name."""

    def __init__(self, version: str) -> None:
        super().__init__(f"There is no model version {version[:32]!r}.")
        self.version = version[:32]


class PanelFileUnusable(MlopsError):
    """A file of bars, or of what belongs to them, cannot be read as such."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} cannot be used: {reason}.")
        self.name = name
        self.reason = reason
