<?php

declare(strict_types=1);

namespace Rapport\Engine;

use FFI\CData;
use Rapport\Exposure;
use Rapport\Feature;
use Rapport\RapportException;

/**
 * Features and experiments, decided by the engine: bytes there, numbers back (core/src/experiment/numbers.rs).
 *
 * A visitor is `['attributes' => [...], 'url' => ..., 'forcedVariations' => [key => index],
 * 'stickyBucketAssignmentDocs' => [...], 'enabled' => bool, 'qaMode' => bool, 'now' => milliseconds since 1970,
 * 'shown' => [experience => ['times' => n, 'last' => milliseconds]], 'grade' => ..., 'score' => Score]`; all may be left out.
 */
final class Flags
{
    /** Where the bytes say what they are about: behind the mark, the checksum and a length. */
    private const DESCRIBED_AT = 12;
    private const DISABLED = 1;
    private const ONLY_FORCED = 2;
    private const ADDRESS = 4;
    private const FORCED = 8;
    private const STICKY = 16;
    private const TIME = 32;
    private const SCORE = 64;
    private const GRADE = 128;
    private const BANDS = ['not' => "\0", 'undecided' => "\1", 'qualified' => "\2"];
    private const SOURCES = ['unknownFeature', 'defaultValue', 'force', 'experiment', 'prerequisite', 'cyclicPrerequisite'];
    private const DEFAULT = 1;
    private const FORCE = 2;
    private const EXPERIMENT = 3;
    /** Numbers of an assignment. */
    private const PER_ASSIGNMENT = 7;
    private const IN_EXPERIMENT = 1;
    private const BY_HASH = 2;
    private const REMEMBERED = 4;

    /** In the order of core's reasons. */
    private const WHY = [
        "the visitor's place falls to this variation",
        'the visitor got this variation before',
        'the address asks for this variation',
        'somebody chose this variation by hand',
        'the experiment gives this variation to all',
        'there are fewer than two variations',
        'experiments are switched off',
        'this is for other pages',
        'this does not run',
        'the visitor lacks the attribute that decides the variation',
        'the visitor is outside its share',
        'the visitor belongs to another experiment of the namespace',
        'this is for others',
        'a feature that it depends on has another value',
        'its hash version is not known here',
        'the visitor took part in an earlier version',
        'the visitor falls outside the covered share',
        'only what is forced happens',
    ];

    private readonly int $handle;
    /** @var list<string> */
    private readonly array $attributes;
    /** @var list<array> */
    private readonly array $features;
    /** @var list<array> */
    private readonly array $experiments;
    /** @var array<string, int> */
    private readonly array $byKey;
    /** @var array<string, int> the keys of experiences */
    private readonly array $experiences;
    /** Of each feature and each page's experiment: the attributes that it reads, each with the bytes before its value. */
    private readonly array $reads;
    private readonly array $pages;

    /** @param (\Closure(Exposure, array): void)|null $onExposure hears every exposure, of holdouts and prerequisites too */
    public function __construct(private readonly Library $library, string $bytes, private readonly ?\Closure $onExposure = null)
    {
        $this->handle = $library->given($library->ffi->rapport_open_flags($bytes, strlen($bytes)));
        $at = self::DESCRIBED_AT;
        $about = Bytes::read($bytes, $at);
        ['attributes' => $this->attributes, 'features' => $this->features, 'experiments' => $this->experiments] = $about;
        $this->experiences = array_flip(array_column($about['experiences'] ?? [], 'key'));
        $this->byKey = array_flip(array_column($this->features, 'key'));
        $this->reads = array_map($this->prefixes(...), array_column($this->features, 'reads'));
        $this->pages = array_map($this->prefixes(...), $about['pages']);
    }

    public function __destruct()
    {
        if (isset($this->handle)) {
            $this->library->ffi->rapport_close($this->handle);
        }
    }

    /** Compiles GrowthBook's payload, in JSON, into the bytes that this opens. */
    public static function compile(Library $library, string $payload): string
    {
        return $library->output($library->ffi->rapport_compile_flags($payload, strlen($payload)));
    }

    /** @return list<string> the keys of all features */
    public function keys(): array
    {
        return array_map(strval(...), array_keys($this->byKey));
    }

    public function hasExperiences(): bool
    {
        return $this->experiences !== [];
    }

    /** The experience that a feature's value comes from, where that is no experiment. */
    public function experienceOf(Feature $feature): ?string
    {
        return $feature->source === 'force' && isset($this->experiences[$feature->ruleId]) ? $feature->ruleId : null;
    }

    /** The feature's value, or `$otherwise` where it is unknown or null. */
    public function value(string $key, mixed $otherwise, array $visitor): mixed
    {
        $number = $this->byKey[$key] ?? null;
        if ($number === null) {
            return $otherwise;
        }
        $answer = $this->asked(0, $number, $this->reads[$number], $visitor);
        $value = $this->valueOf($number, $answer);
        if ($this->onExposure !== null) {
            $this->tell($this->exposures($answer, $answer[2] === 0.0 ? 3 : 3 + self::PER_ASSIGNMENT, $visitor), $visitor);
        }
        return $value ?? $otherwise;
    }

    /** What the feature is, and why; `$isSeen` says whether its exposures are heard of. */
    public function feature(string $key, array $visitor, bool $isSeen = true): Feature
    {
        $number = $this->byKey[$key] ?? null;
        if ($number === null) {
            return new Feature(null, 'unknownFeature');
        }
        $answer = $this->asked(0, $number, $this->reads[$number], $visitor);
        $rule = (int) $answer[1];
        $assigned = $answer[2] !== 0.0;
        // Whoever hears of them may ask again, which overwrites the answer.
        $exposures = $this->exposures($answer, $assigned ? 3 + self::PER_ASSIGNMENT : 3, $visitor);
        $feature = new Feature(
            $this->valueOf($number, $answer),
            self::SOURCES[(int) $answer[0]],
            $this->features[$number]['rules'][$rule]['id'] ?? '',
            $assigned ? $this->experimentAt($answer, 3) : null,
            $assigned ? $this->resultAt($answer, 3, $visitor) : null,
            $this->remembered($exposures, $visitor),
        );
        if ($isSeen) {
            $this->tell($exposures, $visitor);
        }
        return $feature;
    }

    /** What the feature is for whom no rule is asked. */
    public function unpersonalized(string $key): Feature
    {
        $number = $this->byKey[$key] ?? null;
        return $number === null ? new Feature(null, 'unknownFeature') : new Feature($this->features[$number]['default'], 'defaultValue');
    }

    /** What the page's experiment of that number is. */
    public function experiment(int $number, array $visitor): Exposure
    {
        $answer = $this->asked(1, $number, $this->pages[$number] ?? throw new RapportException("there is no experiment $number"), $visitor);
        $exposures = $this->exposures($answer, self::PER_ASSIGNMENT, $visitor);
        $found = new Exposure($this->experimentAt($answer, 0), $this->resultAt($answer, 0, $visitor), $this->remembered($exposures, $visitor));
        $this->tell($exposures, $visitor);
        return $found;
    }

    /**
     * What is remembered once the visitor has seen this: the documents that changed, by `attribute||value`.
     *
     * @param array<string, array> $before
     * @return array<string, array>
     */
    public function remember(Exposure $exposure, array $before = []): array
    {
        $key = $exposure->experiment['key'] ?? null;
        foreach ($this->experiments as $described) {
            if ($described['authored'] === $exposure->experiment || ($described['authored']['key'] ?? null) === $key) {
                break;
            }
        }
        $result = $exposure->result;
        if (!isset($described['bucketVersion']) || !$result['hashUsed']) {
            return [];
        }
        $value = Bytes::text($result['hashValue']);
        $name = "{$result['hashAttribute']}||$value";
        $assignments = (array) ($before[$name]['assignments'] ?? []);
        $assignments["{$described['key']}__{$described['bucketVersion']}"] = $result['key'];
        return [$name => ['attributeName' => $result['hashAttribute'], 'attributeValue' => $value, 'assignments' => $assignments]];
    }

    private function valueOf(int $feature, CData $answer): mixed
    {
        return match ((int) $answer[0]) {
            self::EXPERIMENT => $this->experiments[(int) $answer[3]]['variations'][(int) $answer[4]]['value'],
            self::FORCE => $this->features[$feature]['rules'][(int) $answer[1]]['value'] ?? null,
            self::DEFAULT => $this->features[$feature]['default'],
            default => null,
        };
    }

    /** Asks the engine; the answer stands there until the next question. */
    private function asked(int $experiment, int $number, array $reads, array $visitor): CData
    {
        $question = self::question($reads, $visitor);
        $answer = $this->library->ffi->rapport_ask($this->handle, $experiment, $number, $question, strlen($question));
        if ($answer !== null) {
            return $answer;
        }
        $question = self::question($reads, Bytes::cleaned($visitor));
        return $this->library->given($this->library->ffi->rapport_ask($this->handle, $experiment, $number, $question, strlen($question)));
    }

    private static function question(array $reads, array $visitor): string
    {
        $attributes = $visitor['attributes'] ?? [];
        // With attributes alone there is the time to announce, and nothing that was shown.
        $question = count($visitor) === 1 && isset($visitor['attributes'])
            ? ' ' . pack('eV', floor(microtime(true) * 1000), 0)
            : self::head($visitor);
        foreach ($reads as [$name, $number, $text]) {
            $value = $attributes[$name] ?? null;
            if (is_string($value)) {
                $length = strlen($value);
                $question .= $length < 256 ? $text . chr($length) . "\0\0\0" . $value : $text . pack('V', $length) . $value;
            } elseif (is_int($value)) {
                $question .= $number . "\x03" . pack('e', $value);
            } elseif ($value !== null) {
                $question .= $number . Bytes::value($value);
            }
        }
        return $question;
    }

    private static function head(array $visitor): string
    {
        $bits = ($visitor['enabled'] ?? true) === false ? self::DISABLED : 0;
        $bits |= empty($visitor['qaMode']) ? 0 : self::ONLY_FORCED;
        $announced = '';
        if (($visitor['url'] ?? '') !== '') {
            $bits |= self::ADDRESS;
            $announced .= self::text($visitor['url']);
        }
        if (isset($visitor['forcedVariations'])) {
            $bits |= self::FORCED;
            $announced .= pack('V', count($visitor['forcedVariations']));
            foreach ($visitor['forcedVariations'] as $key => $variation) {
                $announced .= self::text((string) $key) . pack('V', $variation);
            }
        }
        if (isset($visitor['stickyBucketAssignmentDocs'])) {
            $bits |= self::STICKY;
            [$entries, $count] = ['', 0];
            foreach ($visitor['stickyBucketAssignmentDocs'] as $document) {
                $of = self::text((string) $document['attributeName']) . self::text(Bytes::text($document['attributeValue']));
                foreach ($document['assignments'] as $experiment => $variation) {
                    $entries .= $of . self::text((string) $experiment) . self::text(Bytes::text($variation));
                    $count++;
                }
            }
            $announced .= pack('V', $count) . $entries;
        }
        $bits |= self::TIME;
        $shown = $visitor['shown'] ?? [];
        $announced .= pack('eV', $visitor['now'] ?? floor(microtime(true) * 1000), count($shown));
        foreach ($shown as $experience => ['times' => $times, 'last' => $last]) {
            $announced .= self::text((string) $experience) . pack('Ve', $times, $last);
        }
        if (isset($visitor['score'])) {
            $bits |= self::SCORE;
            $announced .= chr($visitor['score']->score) . self::BANDS[$visitor['score']->band];
        }
        if (isset($visitor['grade'])) {
            $bits |= self::GRADE;
            $announced .= self::text($visitor['grade']);
        }
        return chr($bits) . $announced;
    }

    private static function text(string $text): string
    {
        return pack('V', strlen($text)) . $text;
    }

    /** @param list<int> $numbers */
    private function prefixes(array $numbers): array
    {
        return array_map(fn (int $number): array => [$this->attributes[$number], pack('v', $number), pack('v', $number) . "\x04"], $numbers);
    }

    /** @return list<Exposure> those of an answer, where anybody wants to know */
    private function exposures(CData $answer, int $from, array $visitor): array
    {
        $exposures = [];
        if ($this->onExposure !== null || isset($visitor['stickyBucketAssignmentDocs'])) {
            for ($left = (int) $answer[$from], $at = $from + 1; $left > 0; $left--, $at += self::PER_ASSIGNMENT) {
                $exposures[] = new Exposure($this->experimentAt($answer, $at), $this->resultAt($answer, $at, $visitor));
            }
        }
        return $exposures;
    }

    /** @param list<Exposure> $exposures */
    private function tell(array $exposures, array $visitor): void
    {
        foreach ($this->onExposure === null ? [] : $exposures as $exposure) {
            ($this->onExposure)($exposure, $visitor);
        }
    }

    /**
     * The visitor's documents after these exposures; null where none were given.
     *
     * @param list<Exposure> $exposures
     */
    private function remembered(array $exposures, array $visitor): ?array
    {
        if (!isset($visitor['stickyBucketAssignmentDocs'])) {
            return null;
        }
        $documents = [];
        foreach ($visitor['stickyBucketAssignmentDocs'] as $document) {
            $documents["{$document['attributeName']}||{$document['attributeValue']}"] = $document;
        }
        foreach ($exposures as $exposure) {
            $documents = array_replace($documents, $this->remember($exposure, $documents));
        }
        return $documents;
    }

    private function experimentAt(CData $answer, int $at): array
    {
        $described = $this->experiments[(int) $answer[$at]];
        $leaf = $described['leaves'] === [] ? null : $described['leaves'][(int) $answer[$at + 5]] ?? null;
        if ($leaf === null) {
            return $described['authored'];
        }
        $authored = ['weights' => $leaf['variationWeights']] + $described['authored'];
        if (((int) $answer[$at + 2] & self::BY_HASH) !== 0) {
            $authored['contextualBandit'] = $leaf + array_intersect_key($described, ['banditVersion' => true]);
        }
        return $authored;
    }

    private function resultAt(CData $answer, int $at, array $visitor): array
    {
        $described = $this->experiments[(int) $answer[$at]];
        $variation = (int) $answer[$at + 1];
        $bits = (int) $answer[$at + 2];
        $chosen = $described['variations'][$variation] ?? ['value' => null];
        $attribute = $this->attributes[(int) $answer[$at + 3]] ?? '';
        $value = $visitor['attributes'][$attribute] ?? '';
        $result = [
            'key' => $chosen['key'] ?? (string) $variation,
            'featureId' => $described['feature'] === '' ? null : $described['feature'],
            'inExperiment' => ($bits & self::IN_EXPERIMENT) !== 0,
            'hashUsed' => ($bits & self::BY_HASH) !== 0,
            'variationId' => $variation,
            'value' => $chosen['value'],
            'hashAttribute' => $attribute,
            'hashValue' => is_string($value) || Feature::truthy($value) ? $value : '',
            'stickyBucketUsed' => ($bits & self::REMEMBERED) !== 0,
            'why' => self::WHY[(int) $answer[$at + 6]],
        ];
        if (isset($chosen['name'])) {
            $result['name'] = $chosen['name'];
        }
        $place = $answer[$at + 4];
        if ($place >= 0) {
            $result['bucket'] = $place;
        }
        if (isset($chosen['passthrough'])) {
            $result['passthrough'] = true;
        }
        $leaf = $described['leaves'] === [] ? null : $described['leaves'][(int) $answer[$at + 5]] ?? null;
        if ($leaf !== null && $result['hashUsed']) {
            $result += $leaf + array_intersect_key($described, ['banditVersion' => true]);
        }
        $asked = $described['authored']['contextAttributes'] ?? [];
        if ($asked !== []) {
            $known = array_intersect_key($visitor['attributes'] ?? [], array_flip($asked));
            $known = array_filter($known, static fn (mixed $value): bool => $value !== null);
            $result += $known === [] ? [] : ['contextAttributes' => $known];
        }
        return $result;
    }
}
