<?php

declare(strict_types=1);

namespace Rapport\Engine;

use Rapport\Score;

/** A workspace's signals, model and words. */
final class Engine
{
    private const BANDS = ['not', 'undecided', 'qualified'];
    /** Numbers of a decision before its reasons, and of each reason. */
    private const HEAD = 6;
    private const PER_REASON = 3;

    private readonly int $handle;

    public function __construct(private readonly Library $library, string $signals, string $model, string $words)
    {
        $this->handle = $library->given($library->ffi->rapport_open_engine(
            $signals,
            strlen($signals),
            $model,
            strlen($model),
            $words,
            strlen($words),
        ));
    }

    public function __destruct()
    {
        if (isset($this->handle)) {
            $this->library->ffi->rapport_close($this->handle);
        }
    }

    /**
     * Scores a stored profile, and explains the score.
     *
     * @param string $profile empty for a visitor of whom nothing is known
     * @param float $now milliseconds since 1970
     */
    public function score(string $profile, float $now, int $reasons): Score
    {
        $ffi = $this->library->ffi;
        $answer = $this->library->given($ffi->rapport_decide($this->handle, $profile, strlen($profile), $now, $reasons));
        $count = (int) $answer[5];
        $numbers = [];
        for ($at = 0; $at < $count * self::PER_REASON; $at++) {
            $numbers[] = (int) $answer[self::HEAD + $at];
        }
        $said = [];
        $reasons = array_chunk($numbers, self::PER_REASON);
        $words = $this->library->output((int) array_sum(array_column($reasons, 2)));
        $from = 0;
        foreach ($reasons as [$signal, $points, $length]) {
            $said[] = ['signal' => $signal, 'text' => substr($words, $from, $length), 'points' => $points];
            $from += $length;
        }
        $band = self::BANDS[(int) $answer[2]];
        return new Score((int) $answer[0], $answer[1], $band, (int) $answer[3], $said, (int) $answer[4]);
    }

    /** The profile with events in Segment's shape folded in. */
    public function fold(string $profile, array $events, float $now): string
    {
        $compact = fn (array|object $event): array => [Profiles::event($this->library, $event), $now];
        return Profiles::folded($this->library, $this->handle, $profile, array_map($compact, $events));
    }
}
