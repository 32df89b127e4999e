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
     * @param list<array{signal: int, text: string, points: int, error?: float}> $reasons strongest first; `error` is one
     *     standard error of the points, where they are sampled
     * @param int $rest points of what the reasons leave out
     * @param string|null $scoredBy the model that scored, where the workspace brought one: that one, or its fallback
     * @param string|null $fault what went wrong with the brought model (docs/models.md)
     */
    public function __construct(
        public readonly int $score,
        public readonly float $probability,
        public readonly string $band,
        public readonly int $base,
        public readonly array $reasons,
        public readonly int $rest,
        public readonly ?string $scoredBy = null,
        public readonly ?string $fault = null,
    ) {
    }

    /** As a server answers; null where it is no score, or its points do not add up. */
    public static function ofAnswer(array $answer): ?self
    {
        ['score' => $score, 'base' => $base, 'rest' => $rest, 'reasons' => $reasons] = $answer + ['score' => null, 'base' => null, 'rest' => null, 'reasons' => null];
        $isPercent = static fn (mixed $value): bool => is_int($value) && $value >= 0 && $value <= 100;
        $isReason = static fn (mixed $one): bool => is_array($one) && is_int($one['signal'] ?? null) && is_string($one['text'] ?? null) && is_int($one['points'] ?? null);
        $isWhole = $isPercent($score) && $isPercent($base) && is_int($rest) && is_array($reasons) && $reasons === array_filter($reasons, $isReason)
            && is_numeric($answer['probability'] ?? null) && $answer['probability'] >= 0 && $answer['probability'] <= 1 && in_array($answer['band'] ?? null, ['not', 'undecided', 'qualified'], true);
        if (!$isWhole || $base + $rest + array_sum(array_column($reasons, 'points')) !== $score) {
            return null;
        }
        $read = static fn (array $reason): array => ['signal' => $reason['signal'], 'text' => $reason['text'], 'points' => $reason['points']]
            + (is_numeric($reason['error'] ?? null) ? ['error' => (float) $reason['error']] : []);
        $said = array_map($read, array_values($reasons));
        $text = static fn (string $name): ?string => is_string($answer[$name] ?? null) ? $answer[$name] : null;
        return new self($score, (float) $answer['probability'], $answer['band'], $base, $said, $rest, $text('scoredBy'), $text('fault'));
    }

    /** With so many reasons at most: the points of the others go to `rest`. */
    public function cut(int $reasons): self
    {
        $left = (int) array_sum(array_column(array_slice($this->reasons, $reasons), 'points'));
        $kept = array_slice($this->reasons, 0, $reasons);
        return new self($this->score, $this->probability, $this->band, $this->base, $kept, $this->rest + $left, $this->scoredBy, $this->fault);
    }

    /** As another model says that stands in for one with a fault. */
    public function by(string $model, string $fault): self
    {
        return new self($this->score, $this->probability, $this->band, $this->base, $this->reasons, $this->rest, $model, $fault);
    }

    public function jsonSerialize(): array
    {
        $said = get_object_vars($this);
        return $this->scoredBy === null && $this->fault === null ? array_diff_key($said, ['scoredBy' => true, 'fault' => true]) : $said;
    }
}
