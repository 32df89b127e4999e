<?php

declare(strict_types=1);

namespace Rapport\Tests;

use PHPUnit\Framework\TestCase;
use Rapport\IdentityToken;
use Rapport\RapportException;

final class IdentityTokenTest extends TestCase
{
    /** 2026-11-23 12:00 UTC, as in sdk-js/test/identity-token.test.mjs. */
    private const NOW = 1795435200;

    public function testATokenHoldsWhoUntilWhenAndForWhichWorkspaceUnderTheSecretsSignature(): void
    {
        [$version, $payload, $signature] = explode('.', IdentityToken::sign('secret', 'u1', 60, 'w1', self::NOW));
        $decoded = static fn (string $text): string => (string) base64_decode(strtr($text, '-_', '+/'), true);
        self::assertSame(['v1', '{"sub":"u1","exp":1795435260,"wid":"w1"}'], [$version, $decoded($payload)]);
        self::assertSame(hash_hmac('sha256', "v1.$payload", 'secret', true), $decoded($signature));
    }

    public function testTheSameInputGivesTheSameTokenOnEveryHost(): void
    {
        $golden = 'v1.eyJzdWIiOiLDnG7Dr2NvZGUiLCJleHAiOjE3OTU0Mzg4MDB9.f_sg0A2apf_j6heUej4pppC9_Mr99f9IxdUr2Lp6z9s';
        self::assertSame($golden, IdentityToken::sign('secret', 'Ünïcode', now: self::NOW));
    }

    public function testNobodyAndNoSecretAreRefusedInWords(): void
    {
        foreach ([['', 'u1', 'secret is empty'], ['secret', '', 'user id is empty']] as [$secret, $user, $why]) {
            try {
                IdentityToken::sign($secret, $user);
                self::fail('was signed');
            } catch (RapportException $refused) {
                self::assertStringContainsString($why, $refused->getMessage());
            }
        }
    }
}
