<?php

declare(strict_types=1);

namespace Rapport;

/** GrowthBook's payloads that are kept encrypted. */
final class Payload
{
    /**
     * The text of `IV.CIPHERTEXT`, both in base 64, under an AES-128-CBC key in base 64.
     *
     * @throws RapportException where the key is another one or the text is damaged
     */
    public static function decrypt(string $encrypted, string $key): string
    {
        $parts = array_map(static fn (string $part): string|false => base64_decode($part, true), [...explode('.', $encrypted, 2), '']);
        [$iv, $text] = $parts;
        $key = base64_decode($key, true);
        $isWhole = is_string($iv) && is_string($text) && is_string($key) && strlen($iv) === 16 && strlen($key) === 16;
        $plain = $isWhole ? openssl_decrypt($text, 'aes-128-cbc', $key, OPENSSL_RAW_DATA, $iv) : false;
        return is_string($plain) && preg_match('//u', $plain) === 1
            ? $plain
            : throw new RapportException('the payload does not decrypt: the key is another one, or the text is damaged');
    }
}
