<?php

declare(strict_types=1);

namespace Rapport;

use Rapport\Engine\Engine;
use Rapport\Engine\Flags;
use Rapport\Engine\Library;

/** Decides in this process, by the engine (FFI): no network, microseconds. */
final class Local implements Rapport
{
    private const REASONS = 5;
    /** As many events as the server takes with a question, and their bytes, with room for the rest of it. */
    private const MOST_UNSEEN = 100;
    private const MOST_BYTES = 60_000;

    private readonly ?Flags $flags;
    private readonly ?Engine $engine;
    /** Where only the server can run the live model: the name of what the engine has. */
    private readonly ?string $fallback;

    /**
     * @param Events|null $events where exposures and tracked events go; without it nothing is sent
     * @param (\Closure(Exposure, array): void)|null $onExposure hears every exposure besides
     * @param Scores|null $scores asks for the scores of a model that only the server can run; without it its fallback scores
     */
    public function __construct(
        Bundle $bundle,
        private readonly ?Events $events = null,
        ?\Closure $onExposure = null,
        ?Library $library = null,
        private readonly ?Scores $scores = null,
    ) {
        $this->fallback = $bundle->fallback;
        $library ??= Library::get();
        $heard = $events === null ? $onExposure : static function (Exposure $exposure, array $visitor) use ($events, $onExposure, $bundle): void {
            $events->exposed($exposure, $visitor, $bundle->id);
            $onExposure?->__invoke($exposure, $visitor);
        };
        $this->flags = $bundle->flags === '' ? null : new Flags($library, $bundle->flags, $heard);
        $scores = $bundle->signals !== '' && $bundle->model !== '';
        $this->engine = $scores ? new Engine($library, $bundle->signals, $bundle->model, $bundle->words) : null;
    }

    /** From GrowthBook's payload in JSON, with what Rapport adds to it; what of it is broken does nothing. */
    public static function ofPayload(string $payload, ?Events $events = null, ?\Closure $onExposure = null): self
    {
        return new self(Bundle::ofFlags(Flags::compile(Library::get(), $payload)), $events, $onExposure);
    }

    /** All at once; nobody is told of it: what a visitor sees is asked by {@see feature}. */
    public function decide(array $visitor): Decision
    {
        $features = [];
        foreach ($this->flags?->keys() ?? [] as $key) {
            $features[$key] = $this->decided($key, $visitor, false);
        }
        $said = $this->explained($visitor, self::REASONS);
        return $said instanceof Score ? new Decision($said, $features, $said->fault) : new Decision(null, $features, $said);
    }

    public function score(array $visitor): ?int
    {
        return $this->explain($visitor, 0)?->score;
    }

    public function explain(array $visitor, int $reasons = self::REASONS): ?Score
    {
        $said = $this->explained($visitor, $reasons);
        return $said instanceof Score ? $said : null;
    }

    /** The score; or why there is none, where something went wrong. */
    private function explained(array $visitor, int $reasons): Score|string|null
    {
        if (!Visitor::isProfiled($visitor)) {
            return null;
        }
        if ($this->fallback === null) {
            return $this->computed($visitor, $reasons);
        }
        $said = $this->scores === null ? 'absent' : $this->scores->ask($this->question($visitor));
        return is_string($said) ? $this->computed($visitor, $reasons)?->by($this->fallback, $said) ?? $said : $said?->cut($reasons);
    }

    /** Whom the server is asked about. What it would not take, or could not put together, is folded here. */
    private function question(array $visitor): array
    {
        $events = array_values($visitor['events'] ?? []);
        $asked = isset($visitor['now']) ? ['now' => $visitor['now']] : [];
        $isMuch = count($events) > self::MOST_UNSEEN || strlen((string) json_encode($events, JSON_PARTIAL_OUTPUT_ON_ERROR)) > self::MOST_BYTES;
        if ($this->engine !== null && (isset($visitor['profile']) || $isMuch)) {
            $profile = $visitor['profile'] ?? '';
            $folded = $events === [] ? $profile : $this->engine->fold($profile, $events, $visitor['now'] ?? floor(microtime(true) * 1000));
            return $asked + ['profile' => base64_encode($folded)];
        }
        $id = $visitor['anonymousId'] ?? '';
        return $asked + ['events' => $events] + ($id === '' ? [] : ['anonymousId' => $id]);
    }

    private function computed(array $visitor, int $reasons): ?Score
    {
        if ($this->engine === null) {
            return null;
        }
        $now = $visitor['now'] ?? floor(microtime(true) * 1000);
        $profile = $visitor['profile'] ?? '';
        if (!empty($visitor['events'])) {
            $profile = $this->engine->fold($profile, $visitor['events'], $now);
        }
        return $this->engine->score($profile, $now, $reasons);
    }

    public function feature(string $key, array $visitor): Feature
    {
        $feature = $this->decided($key, $visitor, true);
        $experience = $this->events === null ? null : $this->flags?->experienceOf($feature);
        if ($experience !== null) {
            $this->events->viewed($experience, $visitor);
        }
        return $feature;
    }

    public function value(string $key, mixed $otherwise, array $visitor): mixed
    {
        // The short way makes nothing but the value.
        $isShort = $this->flags !== null && !isset($visitor['consent']) && ($this->events === null || !$this->flags->hasExperiences());
        return $isShort ? $this->flags->value($key, $otherwise, $this->asked($visitor)) : $this->feature($key, $visitor)->value ?? $otherwise;
    }

    public function experiment(int $number, array $visitor): Exposure
    {
        return ($this->flags ?? throw new RapportException('the bundle has no flags'))->experiment($number, $this->asked($visitor));
    }

    /** What is remembered of an exposure, as GrowthBook's sticky documents: those that change. */
    public function remember(Exposure $exposure, array $before = []): array
    {
        return $this->flags?->remember($exposure, $before) ?? [];
    }

    public function track(string $event, array $visitor, array $properties = []): void
    {
        $this->events?->track($event, $visitor, $properties);
    }

    private function decided(string $key, array $visitor, bool $isSeen): Feature
    {
        return match (true) {
            $this->flags === null => new Feature(null, 'unknownFeature'),
            // Who does not want to be personalized gets what everybody gets, and is in no experiment.
            !Visitor::isPersonal($visitor) => $this->flags->unpersonalized($key),
            default => $this->flags->feature($key, $this->asked($visitor), $isSeen),
        };
    }

    /** The visitor with what is known of them here, whatever the caller says of that. */
    private function asked(array $visitor): array
    {
        if (isset($visitor['anonymousId']) || isset($visitor['userId'])) {
            $visitor = Visitor::asked($visitor);
        }
        if ($this->engine !== null || $this->fallback !== null || isset($visitor['score'])) {
            $visitor['score'] = $this->explain($visitor, 0);
        }
        return $visitor;
    }
}
