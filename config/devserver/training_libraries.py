"""Names of the libraries that only the worker image has, and the error of a command that needs one elsewhere."""

TRAINING_LIBRARIES = frozenset(
    {
        "arch", "cloudpickle", "formulaic", "interface_meta", "joblib", "llvmlite", "narwhals", "numba", "patsy",
        "safetensors", "scipy", "sklearn", "statsmodels", "threadpoolctl", "torch", "wrapt", "xgboost",
    }
)  # fmt: skip


def training_refusal(command: str, error: ModuleNotFoundError) -> str | None:
    """Return the sentence for a command that needs a missing training library; None for any other module."""
    library = (error.name or "").partition(".")[0]
    if library not in TRAINING_LIBRARIES:
        return None
    return (
        f"`{command}` needs the training libraries ({library} is missing here). "
        f"Run it where they are: docker compose run --rm worker python manage.py {command}"
    )
