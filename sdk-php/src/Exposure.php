<?php

declare(strict_types=1);

namespace Rapport;

/** An assignment that results count. */
final class Exposure
{
    /**
     * @param array $experiment the experiment, as it was written
     * @param array $result what it came to for the visitor, in GrowthBook's words, and `why` in a sentence
     * @param array<string, array>|null $sticky as {@see Feature::$sticky}, where it was asked for by its number
     */
    public function __construct(public readonly array $experiment, public readonly array $result, public readonly ?array $sticky = null)
    {
    }
}
