<?php

declare(strict_types=1);

namespace Rapport;

/** What a feature is for a visitor, and why. */
final class Feature implements \JsonSerializable
{
    private const WHY = [
        'unknownFeature' => 'there is no such feature',
        'defaultValue' => 'no rule applies, so this is the default',
        'force' => 'its condition holds',
        'experiment' => 'an experiment decides',
        'prerequisite' => 'a feature that it depends on has another value',
        'cyclicPrerequisite' => 'features depend on one another in a ring',
    ];

    /**
     * @param string $source `unknownFeature`, `defaultValue`, `force`, `experiment`, `prerequisite` or `cyclicPrerequisite`
     * @param array|null $experiment the experiment that decided, as it was written
     * @param array|null $result what it came to, in GrowthBook's words, and `why` in a sentence
     * @param array<string, array>|null $sticky the visitor's `stickyBucketAssignmentDocs` once they have seen this, to be kept and
     *     given back; null where none were given
     */
    public function __construct(
        public readonly mixed $value,
        public readonly string $source,
        public readonly string $ruleId = '',
        public readonly ?array $experiment = null,
        public readonly ?array $result = null,
        public readonly ?array $sticky = null,
    ) {
    }

    public function isOn(): bool
    {
        return self::truthy($this->value);
    }

    /** Why, in a sentence for people. */
    public function why(): string
    {
        return $this->result['why'] ?? self::WHY[$this->source];
    }

    /** Whether JavaScript takes a value for true, as all hosts do: of texts only the empty one is not. */
    public static function truthy(mixed $value): bool
    {
        return is_float($value) && is_nan($value) ? false : !in_array($value, [null, false, 0, 0.0, ''], true);
    }

    public function jsonSerialize(): array
    {
        $shown = ['value' => $this->value, 'on' => $this->isOn(), 'off' => !$this->isOn(), 'source' => $this->source, 'ruleId' => $this->ruleId];
        return $this->result === null ? $shown : $shown + ['experiment' => $this->experiment, 'experimentResult' => $this->result];
    }
}
