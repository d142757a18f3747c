"""A sale's base shared over its lines, to the cent, whatever signs they have."""

from app.core.money import share, split


def shared(base: int, weights: tuple[int, ...]) -> tuple[int, ...]:
    """Divide a base over weights of both signs (prorations credit what was paid before).

    The weights sum to more than zero. The credits together take their share of the base, rounded
    once, below zero; the charges take the base and what was credited. Each side is then split by
    largest remainder, so both sides together are the base, to the cent.
    """
    if min(weights) >= 0:
        return split(base, weights)
    credits_ = tuple(max(-weight, 0) for weight in weights)
    charges = tuple(max(weight, 0) for weight in weights)
    credited = share(base, sum(credits_), sum(weights))
    minus = split(credited, credits_) if any(credits_) else credits_
    plus = split(base + credited, charges)
    return tuple(up - down for up, down in zip(plus, minus, strict=True))
