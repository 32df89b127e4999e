<?php

declare(strict_types=1);

namespace Rapport;

/** All that is decided for a visitor. */
final class Decision implements \JsonSerializable
{
    /**
     * @param array<string, Feature> $features by their keys
     * @param string|null $fault why the brought model did not score: the score's, or why there is none
     */
    public function __construct(public readonly ?Score $score, public readonly array $features, public readonly ?string $fault = null)
    {
    }

    /** @return list<string> the score's reasons and why each feature is what it is, in sentences */
    public function why(): array
    {
        $reasons = array_map(static fn (array $reason): string => sprintf('%+d %s', $reason['points'], $reason['text']), $this->score?->reasons ?? []);
        $features = array_map(static fn (string $key, Feature $feature): string => "$key: {$feature->why()}", array_keys($this->features), $this->features);
        return [...$reasons, ...$features];
    }

    public function jsonSerialize(): array
    {
        $score = $this->score?->jsonSerialize() ?? ['score' => null, 'band' => null];
        return $score + ['features' => (object) $this->features, 'why' => $this->why()];
    }
}
