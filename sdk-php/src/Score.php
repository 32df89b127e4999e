<?php

declare(strict_types=1);

namespace Rapport;

/** A score and why: `base` + the reasons' points + `rest` = `score`. */
final class Score implements \JsonSerializable
{
    /**
     * @param int $score 0 to 100
     * @param float $probability that the visitor qualifies, 0 to 1
     * @param string $band `qualified`, `undecided` or `not`
     * @param int $base the score of a visitor of whom nothing is known
     * @param list<array{signal: int, text: string, points: int}> $reasons strongest first
     * @param int $rest points of what the reasons leave out
     */
    public function __construct(
        public readonly int $score,
        public readonly float $probability,
        public readonly string $band,
        public readonly int $base,
        public readonly array $reasons,
        public readonly int $rest,
    ) {
    }

    public function jsonSerialize(): array
    {
        return get_object_vars($this);
    }
}
