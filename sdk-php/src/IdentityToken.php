<?php

declare(strict_types=1);

namespace Rapport;

/** The token by which your server proves to Rapport who is signed in (docs/identity.md). */
final class IdentityToken
{
    /**
     * Hand it to the page, which gives it to `identify(userId, traits, {token})`. The secret never leaves the server.
     *
     * @param int $expiresIn seconds until it is worth nothing
     * @param string|null $workspace binds it to one workspace
     * @param int|null $now seconds since 1970; the clock where null
     */
    public static function sign(string $secret, string $userId, int $expiresIn = 3600, ?string $workspace = null, ?int $now = null): string
    {
        if ($secret === '') {
            throw new RapportException("the identity secret is empty: copy it from the workspace's settings");
        }
        if ($userId === '') {
            throw new RapportException('the user id is empty: nobody can be proved by it');
        }
        $claims = ['sub' => $userId, 'exp' => ($now ?? time()) + $expiresIn] + ($workspace === null ? [] : ['wid' => $workspace]);
        $flags = JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_LINE_TERMINATORS;
        $signed = 'v1.' . self::base64url(json_encode($claims, $flags));
        return $signed . '.' . self::base64url(hash_hmac('sha256', $signed, $secret, true));
    }

    private static function base64url(string $bytes): string
    {
        return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
    }
}
