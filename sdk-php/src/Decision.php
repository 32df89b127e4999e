<?php

declare(strict_types=1);

namespace Rapport;

/** All that is decided for a visitor. */
final class Decision implements \JsonSerializable
{
    /** @param array<string, Feature> $features by their keys */
    public function __construct(public readonly ?Score $score, public readonly array $features)
    {
    }

    public function jsonSerialize(): array
    {
        $score = $this->score?->jsonSerialize() ?? ['score' => null, 'band' => null];
        return $score + ['features' => (object) $this->features];
    }
}
