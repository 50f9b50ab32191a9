"""Loss curves as they are kept for good: short."""


def shorter_curve(curve: dict, points: int) -> dict:
    """A loss curve with at most some points, evenly spaced, and losses of four digits."""
    last = len(curve["steps"]) - 1
    kept = sorted({round(last * place / max(points - 1, 1)) for place in range(points)})
    losses = [[float(f"{loss:.4g}") if loss is not None else None for loss in curve["losses"][index]] for index in kept]
    return {**curve, "steps": [curve["steps"][index] for index in kept], "losses": losses}
