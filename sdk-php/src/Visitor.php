<?php

declare(strict_types=1);

namespace Rapport;

/** What a visitor's array says. */
final class Visitor
{
    /** The visitor with ids among the attributes; `id` is the browser's, so that nobody changes arms by signing in. */
    public static function asked(array $visitor): array
    {
        $ids = array_filter(['anonymousId' => $visitor['anonymousId'] ?? null, 'userId' => $visitor['userId'] ?? null], is_string(...));
        if ($ids !== []) {
            $visitor['attributes'] = (array) ($visitor['attributes'] ?? []) + ['id' => $ids['anonymousId'] ?? $ids['userId']] + $ids;
        }
        return $visitor;
    }

    /** Whether the visitor may be shown anything but the default. */
    public static function isPersonal(array $visitor): bool
    {
        return ($visitor['consent']['personalization'] ?? true) !== false;
    }

    /** Whether the visitor may be scored. */
    public static function isProfiled(array $visitor): bool
    {
        return ($visitor['consent']['profiling'] ?? true) !== false;
    }
}
