<?php

declare(strict_types=1);

namespace Rapport;

/**
 * What a page or program asks: in this process ({@see Local}) or of the server ({@see Remote}).
 *
 * A visitor is an array; everything in it may be left out: `attributes` (a feature's conditions read them),
 * `url`, `anonymousId`, `userId`, `profile` (bytes, as the engine stores them), `events` (in Segment's
 * shape, folded on top of the profile), `consent` (`['personalization' => false]`), `now`
 * (milliseconds since 1970), `shown` (`[experience => ['times' => n, 'last' => milliseconds]]`, for caps), `grade`,
 * `forcedVariations`, `stickyBucketAssignmentDocs`, `enabled`, `qaMode`.
 */
interface Rapport
{
    /** Score, band, reasons and every feature at once. */
    public function decide(array $visitor): Decision;

    /** 0 to 100; null where nothing scores the visitor. */
    public function score(array $visitor): ?int;

    /** The score with its strongest reasons in words; null where nothing scores the visitor. */
    public function explain(array $visitor, int $reasons = 5): ?Score;

    /** What a feature or slot is for the visitor, and why. */
    public function feature(string $key, array $visitor): Feature;

    /** A feature's value, or `$otherwise` where the feature is unknown or null. */
    public function value(string $key, mixed $otherwise, array $visitor): mixed;

    /** What the experiment of that number among those of pages is: a change of the page, or a redirect. */
    public function experiment(int $number, array $visitor): Exposure;

    /** Notes that something happened; sent with the next batch. */
    public function track(string $event, array $visitor, array $properties = []): void;
}
