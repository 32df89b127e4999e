<?php

declare(strict_types=1);

namespace Rapport\WordPress;

/** What the owner of the site said. */
final class Settings
{
    public const OPTION = 'rapport';
    /** Slots are filled in the page; every cache may keep it. */
    public const IN_PAGE = 'page';
    /** Slots are filled before the page is sent; a cache keeps one page for each outcome. */
    public const ON_SERVER = 'server';

    private function __construct(
        public readonly string $server,
        public readonly string $key,
        /** Signs who is signed in; empty where nobody is proven. */
        public readonly string $secret,
        public readonly string $mode,
    ) {
    }

    public static function load(): self
    {
        $kept = self::checked((array) get_option(self::OPTION, []));
        return new self($kept['server'], $kept['key'], $kept['secret'], $kept['mode']);
    }

    public function isComplete(): bool
    {
        return $this->server !== '' && $this->key !== '';
    }

    /** What of a form is meant, with everything else left out. */
    public static function checked(array $given): array
    {
        $text = static fn (string $name): string => is_string($given[$name] ?? null) ? trim($given[$name]) : '';
        $server = untrailingslashit($text('server'));
        return [
            'server' => preg_match('~^https?://[^\s"\'<>]+$~', $server) === 1 ? $server : '',
            'key' => preg_match('~^wk_\w+$~', $text('key')) === 1 ? $text('key') : '',
            'secret' => preg_match('~^[\w.-]*$~', $text('secret')) === 1 ? $text('secret') : '',
            'mode' => $text('mode') === self::ON_SERVER ? self::ON_SERVER : self::IN_PAGE,
        ];
    }
}
