<?php

declare(strict_types=1);

namespace Rapport\Engine;

/** Stored profiles over a bundle's signals, and the events that fold into them: bytes in, bytes out. */
final class Profiles
{
    private readonly int $handle;

    /** @param string $signals the part of a bundle */
    public function __construct(private readonly Library $library, string $signals)
    {
        $this->handle = $library->given($library->ffi->rapport_open_signals($signals, strlen($signals)));
    }

    public function __destruct()
    {
        if (isset($this->handle)) {
            $this->library->ffi->rapport_close($this->handle);
        }
    }

    /**
     * A stored profile (empty is a new one) with events folded in.
     *
     * @param list<array{string, float|null}> $events compact, each with when it arrived (null: when it happened)
     */
    public function fold(string $profile, array $events): string
    {
        return self::folded($this->library, $this->handle, $profile, $events);
    }

    /** A stored profile with another one put in. */
    public function merge(string $profile, string $other): string
    {
        return $this->library->output($this->library->ffi->rapport_merge($this->handle, $profile, strlen($profile), $other, strlen($other)));
    }

    /**
     * The values at a time, in the order of the signals: a number, or the hash of a level as an integer;
     * null where missing.
     *
     * @return list<float|int|null>
     */
    public function values(string $profile, int $count, float $now): array
    {
        $answer = $this->library->given($this->library->ffi->rapport_values($this->handle, $profile, strlen($profile), $now));
        $values = [];
        for ($at = 0; $at < 2 * $count; $at += 2) {
            $value = $answer[$at + 1];
            $values[] = $answer[$at] === 1.0 ? (int) $value : (is_nan($value) ? null : $value);
        }
        return $values;
    }

    /** The compact form of an event in Segment's shape; it happened at `$time`, or else at its own timestamp. */
    public static function event(Library $library, array|object $event, ?float $time = null): string
    {
        $json = json_encode($event, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE);
        return $library->output($library->ffi->rapport_encode_event($json, strlen($json), $time ?? NAN));
    }

    /** @internal as {@see fold}, of an engine or of signals */
    public static function folded(Library $library, int $handle, string $profile, array $events): string
    {
        $written = '';
        foreach ($events as [$event, $now]) {
            $written .= pack('e', $now ?? NAN) . pack('V', strlen($event)) . $event;
        }
        return $library->output($library->ffi->rapport_fold($handle, $profile, strlen($profile), $written, strlen($written)));
    }
}
