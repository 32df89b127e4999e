<?php

declare(strict_types=1);

namespace Rapport;

use Rapport\Http\Transport;

/** What a workspace published: parts whose hashes a signed manifest names (docs/bundle-format.md). */
final class Bundle
{
    private function __construct(
        public readonly string $flags,
        public readonly string $signals,
        public readonly string $model,
        public readonly string $words,
        /** The hash of the manifest; empty where there is none. */
        public readonly string $id,
    ) {
    }

    /** Compiled flags alone, such as `Engine\Flags::compile` makes of GrowthBook's payload. */
    public static function ofFlags(string $flags): self
    {
        return new self($flags, '', '', '', '');
    }

    /**
     * Checks the manifest's signature and the parts' hashes. Fails closed: what is not signed is not opened.
     *
     * @param array{manifest: string, signature: string} $publication as the server gives it; the signature in base 64
     * @param callable(string $hash): string $part the bytes of a part
     * @param string $publicKey in base 64; keep it with your code rather than asking for it
     */
    public static function open(array $publication, callable $part, string $publicKey): self
    {
        $manifest = (string) ($publication['manifest'] ?? '');
        $signature = base64_decode((string) ($publication['signature'] ?? ''), true);
        $key = base64_decode($publicKey, true);
        if ($key === false || strlen($key) !== SODIUM_CRYPTO_SIGN_PUBLICKEYBYTES) {
            throw new RapportException('the public key is not 32 bytes in base 64: copy it from the workspace');
        }
        $isSigned = is_string($signature) && strlen($signature) === SODIUM_CRYPTO_SIGN_BYTES
            && sodium_crypto_sign_verify_detached($signature, $manifest, $key);
        if (!$isSigned) {
            throw new RapportException("the manifest's signature is not that of the workspace's key: nothing of it is used");
        }
        $named = json_decode($manifest, true, 16, JSON_THROW_ON_ERROR);
        if (($named['format'] ?? null) !== 1) {
            throw new RapportException('the bundle has another format than this SDK reads: update it');
        }
        $bytes = static function (string $kind) use ($named, $part): string {
            $candidates = array_values(array_filter($named['parts'], static fn (array $one): bool => $one['kind'] === $kind));
            $defaults = array_values(array_filter($candidates, static fn (array $one): bool => $one['default'] ?? false));
            $chosen = $defaults[0] ?? $candidates[0] ?? null;
            if ($chosen === null) {
                return '';
            }
            $bytes = $part($chosen['hash']);
            if (!hash_equals($chosen['hash'], hash('sha256', $bytes))) {
                throw new RapportException("the part $kind is not what the manifest says: fetch the bundle anew");
            }
            return $bytes;
        };
        return new self($bytes('flags'), $bytes('signals'), $bytes('model'), $bytes('words'), hash('sha256', $manifest));
    }

    /**
     * From the file that `rapport bundle compile` writes, for hosts without a network.
     *
     * @param string|null $publicKey without one the file's own is taken, which proves that nothing was damaged, not who published it
     */
    public static function ofFile(string $path, ?string $publicKey = null): self
    {
        $file = is_file($path) ? json_decode((string) file_get_contents($path), true) : null;
        if (!isset($file['manifest'], $file['signature'], $file['publicKey'], $file['parts'])) {
            throw new RapportException("$path holds no bundle: name a file that `rapport bundle compile` wrote");
        }
        return self::open($file, static fn (string $hash): string => (string) base64_decode($file['parts'][$hash] ?? '', true), $publicKey ?? $file['publicKey']);
    }

    /** Asks a server for what is published under a key. */
    public static function fetch(string $server, string $key, string $publicKey, ?Transport $transport = null): self
    {
        $transport ??= new Http\Plain();
        $server = rtrim($server, '/');
        $get = static function (string $path) use ($transport, $server): string {
            $response = $transport->send('GET', $server . $path);
            return $response->status === 200 ? $response->body : throw new RapportException("$server$path answered {$response->status}");
        };
        $config = json_decode($get('/v1/sdk/' . rawurlencode($key) . '.json'), true, 64, JSON_THROW_ON_ERROR);
        if (!isset($config['manifest'])) {
            throw new RapportException('nothing is published yet under this key');
        }
        return self::open($config, static fn (string $hash): string => $get('/v1/parts/' . rawurlencode($key) . "/$hash.bin"), $publicKey);
    }
}
