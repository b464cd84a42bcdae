"""Errors of model versions, their files and their training."""


class MlopsError(Exception):
    """Base of every error of this app."""


class NoChampion(MlopsError):
    """No model version has been promoted yet."""

    def __init__(self) -> None:
        super().__init__("No model has been trained yet.")


class ArtifactCorrupt(MlopsError):
    """A stored model file is missing or differs from the registered one."""

    def __init__(self, version: str, reason: str) -> None:
        super().__init__(f"The files of model {version} cannot be used: {reason}.")
        self.version = version
        self.reason = reason


class InsufficientHistory(MlopsError):
    """Too few sessions to train on."""

    def __init__(self, have: int, needed: int) -> None:
        super().__init__(f"Not enough price history to train: {have} sessions, {needed} needed.")
        self.have = have
        self.needed = needed


class PromotionRefused(MlopsError):
    """The version cannot be promoted."""

    def __init__(self, version: str, reason: str) -> None:
        super().__init__(f"Model {version} was not promoted: {reason}.")
        self.version = version
        self.reason = reason


class VersionUnknown(MlopsError):
    """No model version has this name."""

    def __init__(self, version: str) -> None:
        super().__init__(f"Unknown model version: {version[:32]!r}.")
        self.version = version[:32]


class PanelFileUnusable(MlopsError):
    """A file of bars or news is unreadable or has the wrong format."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} cannot be used: {reason}.")
        self.name = name
        self.reason = reason
