<?php

declare(strict_types=1);

namespace Rapport\Engine;

/** A model file on rows of values, in the order of its signals; NAN is missing. */
final class Scorer
{
    private const BANDS = ['not', 'undecided', 'qualified'];

    private readonly int $handle;

    public function __construct(private readonly Library $library, string $model)
    {
        $this->handle = $library->given($library->ffi->rapport_open_model($model, strlen($model)));
    }

    public function __destruct()
    {
        if (isset($this->handle)) {
            $this->library->ffi->rapport_close($this->handle);
        }
    }

    /**
     * @param list<float> $row
     * @return array{margin: float, probability: float, score: int, band: string}
     */
    public function score(array $row): array
    {
        $bytes = pack('e*', ...$row);
        $answer = $this->library->given($this->library->ffi->rapport_score($this->handle, 0, $bytes, strlen($bytes)));
        return ['margin' => $answer[0], 'probability' => $answer[1], 'score' => (int) $answer[2], 'band' => self::BANDS[(int) $answer[3]]];
    }

    /**
     * What each signal contributes to the margin, exactly, and in whole points: `baseScore` + points = `score`.
     *
     * @param list<float> $row
     * @return array{base: float, contributions: list<float>, baseScore: int, score: int, points: list<int>}
     */
    public function explain(array $row): array
    {
        $bytes = pack('e*', ...$row);
        $answer = $this->library->given($this->library->ffi->rapport_score($this->handle, 1, $bytes, strlen($bytes)));
        $count = (int) $answer[6];
        $numbers = unpack('e*', \FFI::string($answer + 7, 16 * $count));
        return [
            'base' => $answer[4],
            'contributions' => array_slice($numbers, 0, $count),
            'baseScore' => (int) $answer[5],
            'score' => (int) $answer[2],
            'points' => array_map(intval(...), array_slice($numbers, $count)),
        ];
    }
}
