<?php

declare(strict_types=1);

namespace Rapport\Http;

use Rapport\RapportException;

/**
 * Answers of a server that are kept: fresh ones are used as they are; older ones are used and asked for anew when the
 * request is over; where the server fails they are used as long as they are kept.
 */
final class Kept
{
    /** Seconds in which a server that failed is not asked again, so that it slows no page down. */
    private const PAUSE = 5;
    /** Answers that one process holds: a worker asks about many visitors. */
    private const MAX_HELD = 1_000;

    /** @var array<string, callable(): mixed> what is asked for anew later */
    private array $later = [];
    /** @var array<string, array{at: float, answer: mixed}> of this request */
    private array $held = [];
    private readonly \Closure $clock;

    /**
     * @param int $fresh seconds in which an answer is used without asking
     * @param int $stale seconds in which it is used at all
     * @param (callable(): float)|null $clock seconds since 1970
     */
    public function __construct(
        private readonly ?Cache $cache,
        private readonly int $fresh = 30,
        private readonly int $stale = 86_400,
        ?callable $clock = null,
    ) {
        $this->clock = ($clock ?? static fn (): float => microtime(true))(...);
    }

    public function __destruct()
    {
        if ($this->later !== [] && function_exists('fastcgi_finish_request')) {
            fastcgi_finish_request();
        }
        $this->renew();
    }

    /**
     * The answer under a name.
     *
     * @param callable(): mixed $ask throws {@see RapportException} where there is no answer
     * @throws RapportException where there is none, and none was kept
     */
    public function get(string $name, callable $ask): mixed
    {
        $now = ($this->clock)();
        $known = $this->held[$name] ?? $this->cache?->get($name);
        $age = is_array($known) ? $now - $known['at'] : INF;
        if ($age < $this->fresh) {
            return ($this->held[$name] = $known)['answer'];
        }
        if ($age < $this->stale) {
            $this->held[$name] = $known;
            $this->later[$name] = $ask;
            return $known['answer'];
        }
        return $this->ask($name, $ask);
    }

    /** Asks for what was used although it was old. */
    public function renew(): void
    {
        [$later, $this->later] = [$this->later, []];
        foreach ($later as $name => $ask) {
            try {
                $this->ask($name, $ask);
            } catch (RapportException) {
                // What is at hand serves on.
            }
        }
    }

    private function ask(string $name, callable $ask): mixed
    {
        if ($this->cache?->get('rapport.pause') !== null) {
            throw new RapportException('the server failed a moment ago and is not asked again yet');
        }
        try {
            $answer = $ask();
        } catch (Unreachable $unreachable) {
            $this->cache?->set('rapport.pause', 1, self::PAUSE);
            throw $unreachable;
        }
        if (count($this->held) >= self::MAX_HELD) {
            unset($this->held[array_key_first($this->held)]);
        }
        $this->held[$name] = ['at' => ($this->clock)(), 'answer' => $answer];
        $this->cache?->set($name, $this->held[$name], $this->stale);
        return $answer;
    }
}
