<?php

declare(strict_types=1);

namespace Rapport\Tests;

use PHPUnit\Framework\TestCase;
use Rapport\Bundle;
use Rapport\Engine\Flags;
use Rapport\Engine\Library;
use Rapport\Local;
use Rapport\RapportException;

final class LocalTest extends TestCase
{
    private static function rapport(array $rules, mixed $default = 'default', ?\Closure $onExposure = null): Local
    {
        return Local::ofPayload(json_encode(['features' => ['hero' => ['defaultValue' => $default, 'rules' => $rules]]]), null, $onExposure);
    }

    /** What PHP holds beside JSON's values counts as what it stands for. */
    public function testAttributesOfAllKindsAreUnderstood(): void
    {
        $cases = [
            ['n', 12, ['$gte' => 12]],
            ['n', 12.5, ['$lt' => 13]],
            ['n', PHP_INT_MAX, ['$gt' => 9e18]],
            ['b', true, true],
            ['list', ['a', 'b'], ['$in' => ['b']]],
            ['list', [], ['$size' => 0]],
            ['map', (object) ['deep' => ['x' => 1]], ['deep' => ['x' => 1]]],
            ['date', new \DateTimeImmutable('2026-11-23T13:00:00+01:00'), '2026-11-23T12:00:00.000Z'],
            ['text', str_repeat('ü', 300), ['$regex' => '^ü+$']],
            ['absent', null, ['$exists' => false]],
            ['indices', ['b' => 1, 2 => 2, 1 => 3], (object) ['1' => 3, '2' => 2, 'b' => 1]],
        ];
        foreach ($cases as [$name, $value, $condition]) {
            $rapport = self::rapport([['force' => 'meant', 'condition' => [$name => $condition]]]);
            self::assertSame('meant', $rapport->value('hero', null, ['attributes' => [$name => $value]]), json_encode([$name, $condition]));
        }
    }

    public function testATextThatIsNoUtf8CountsAsBrowsersReadIt(): void
    {
        $rapport = self::rapport([['force' => 'meant', 'condition' => ['name' => "caf\u{FFFD}"]]]);
        self::assertSame('meant', $rapport->value('hero', null, ['attributes' => ['name' => "caf\xE9"]]));
    }

    public function testValuesComeBackAsTheyWereWritten(): void
    {
        $value = ['n' => 1, 'f' => 0.5, 'list' => [1, [], null, 'ü'], 'big' => 1e300, 'no' => false];
        self::assertSame($value, self::rapport([], $value)->value('hero', null, []));
        self::assertSame('other', self::rapport([], null)->value('hero', 'other', []));
        self::assertSame('other', self::rapport([])->value('unheard of', 'other', []));
    }

    public function testAHearerMayAskAgain(): void
    {
        $rapport = null;
        $heard = [];
        $rapport = self::rapport([['key' => 'e', 'variations' => ['a', 'b']]], 'x', static function ($exposure, $visitor) use (&$rapport, &$heard): void {
            $heard[] = $exposure->result['value'];
            if (count($heard) < 3) {
                $rapport->feature('hero', ['attributes' => ['id' => 'other ' . count($heard)]]);
            }
        });
        $feature = $rapport->feature('hero', ['attributes' => ['id' => 'u1']]);
        self::assertSame($feature->value, $heard[0]);
        self::assertCount(3, $heard);
    }

    public function testADecisionSaysWhyAndTellsNobody(): void
    {
        $heard = 0;
        $rapport = self::rapport([['id' => 'r', 'force' => 'Willkommen', 'condition' => ['country' => 'DE']], ['key' => 'e', 'variations' => ['a', 'b']]], 'x', static function () use (&$heard): void {
            $heard++;
        });
        self::assertSame(['hero: its condition holds'], $rapport->decide(['attributes' => ['country' => 'DE']])->why());
        self::assertSame(["hero: the visitor's place falls to this variation"], $rapport->decide(['anonymousId' => 'a1'])->why());
        self::assertSame(0, $heard);
        $shown = json_decode(json_encode($rapport->decide(['attributes' => ['country' => 'DE']])), true);
        self::assertSame([null, 'Willkommen', true, 'force'], [$shown['score'], $shown['features']['hero']['value'], $shown['features']['hero']['on'], $shown['features']['hero']['source']]);
    }

    public function testTimeAndShowingsAreKnownToConditions(): void
    {
        $experience = ['key' => 'promo', 'slot' => 'bar', 'content' => ['type' => 'text', 'text' => 'Now'], 'schedule' => ['from' => '2026-01-01T00:00:00Z', 'until' => '2026-02-01T00:00:00Z'], 'cap' => ['times' => 2]];
        $rapport = Local::ofPayload(json_encode(['experiences' => [$experience]]));
        $at = static fn (string $time, int $times = 0): mixed => $rapport->value('bar', null, [
            'now' => strtotime($time) * 1000,
            'shown' => ['promo' => ['times' => $times, 'last' => strtotime('2026-01-01') * 1000]],
        ])['text'] ?? null;
        self::assertSame(['Now', null, null, null], [$at('2026-01-10'), $at('2026-03-01'), $at('2025-12-01'), $at('2026-01-10', 2)]);
        // A caller says nothing of what core knows.
        self::assertNull($rapport->value('bar', null, ['attributes' => ['$now' => strtotime('2026-01-10') * 1000]]));
    }

    public function testManyEnginesStandSideBySideAndClose(): void
    {
        $all = [];
        for ($at = 0; $at < 40; $at++) {
            $all[] = self::rapport([], "value $at");
        }
        foreach ($all as $at => $rapport) {
            self::assertSame("value $at", $rapport->value('hero', null, []));
        }
        $handle = (static fn (): Flags => new Flags(Library::get(), Flags::compile(Library::get(), '{}')))();
        unset($all, $handle);
        self::assertSame('again', self::rapport([], 'again')->value('hero', null, []));
    }

    public function testDamagedBytesAndWrongHandlesAreRefusedInWords(): void
    {
        $library = Library::get();
        foreach ([str_repeat('x', 200), '', substr(Flags::compile($library, '{"features":{"a":{}}}'), 0, -3)] as $bytes) {
            try {
                new Flags($library, $bytes);
                self::fail('was opened');
            } catch (RapportException $refused) {
                self::assertNotSame('', $refused->getMessage());
            }
        }
        $ffi = $library->ffi;
        foreach ([0, 1_000_000, 4_294_967_295] as $handle) {
            self::assertNull($ffi->rapport_ask($handle, 0, 0, "\0", 1));
            self::assertNull($ffi->rapport_decide($handle, '', 0, 0.0, 5));
            self::assertNull($ffi->rapport_score($handle, 1, '', 0));
            $ffi->rapport_close($handle);
        }
        self::assertStringContainsString('handle 4294967295', $ffi->rapport_error());
        self::assertSame(-1, $ffi->rapport_compile_flags(null, 0));
    }

    public function testABundleOpensOnlyUnderItsSignature(): void
    {
        $flags = Flags::compile(Library::get(), '{"features": {"hero": {"defaultValue": "signed"}}}');
        $hash = hash('sha256', $flags);
        $manifest = json_encode(['format' => 1, 'parts' => [['kind' => 'flags', 'name' => '', 'default' => false, 'public' => true, 'hash' => $hash, 'bytes' => strlen($flags)]]]);
        $keys = sodium_crypto_sign_keypair();
        $signed = ['manifest' => $manifest, 'signature' => base64_encode(sodium_crypto_sign_detached($manifest, sodium_crypto_sign_secretkey($keys)))];
        $public = base64_encode(sodium_crypto_sign_publickey($keys));
        $part = static fn (string $wanted): string => $wanted === $hash ? $flags : '';
        self::assertSame('signed', (new Local(Bundle::open($signed, $part, $public)))->value('hero', null, []));
        $forged = [
            [['manifest' => $manifest . ' '] + $signed, $part, $public, 'signature'],
            [['signature' => base64_encode(random_bytes(64))] + $signed, $part, $public, 'signature'],
            [['signature' => ''] + $signed, $part, $public, 'signature'],
            [$signed, $part, base64_encode(random_bytes(31)), 'public key'],
            [$signed, static fn (): string => $flags . 'x', $public, 'not what the manifest says'],
        ];
        foreach ($forged as [$publication, $parts, $key, $why]) {
            try {
                Bundle::open($publication, $parts, $key);
                self::fail('was opened');
            } catch (RapportException $refused) {
                self::assertStringContainsString($why, $refused->getMessage());
            }
        }
    }
}
