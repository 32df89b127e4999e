<?php

declare(strict_types=1);

namespace Rapport\WordPress;

use Rapport\Feature;
use Rapport\Http\Kept;
use Rapport\Remote;

/**
 * What slots show to this visitor, asked of the server.
 *
 * Under a page cache that varies by the cookie `rapport_vary`, a page is filled only for whom the cookie says already what
 * is decided now. Everybody else gets the page as it is for all, which their browser fills, and the cookie for the next one:
 * so no cookie that somebody makes up brings a page into the cache that is not meant for it.
 */
final class Decisions
{
    public const COOKIE = 'rapport_vary';
    private const SLOTS = 'rapport_slots';
    private const MAX_SLOTS = 50;
    private const FRESH = 60;

    private readonly Remote $remote;
    /** @var array<string, mixed>|null by slot; null where nobody knows the visitor */
    private ?array $decided = null;
    private bool $mayFill = false;

    public function __construct(private readonly Settings $settings)
    {
        $kept = new Kept(new Transients(), self::FRESH, DAY_IN_SECONDS);
        $this->remote = new Remote($settings->server, $settings->key, new Requests(), $kept);
    }

    public function offer(): void
    {
        add_action('send_headers', $this->decide(...));
        add_action('rest_api_init', function (): void {
            register_rest_route('rapport/v1', '/vary', [
                'methods' => 'GET',
                'permission_callback' => '__return_true',
                'callback' => function (): \WP_REST_Response {
                    $isDecided = $this->decide();
                    return new \WP_REST_Response(null, $isDecided ? 204 : 503, ['Cache-Control' => 'no-store']);
                },
            ]);
        });
    }

    /** What the slot shows; null where the page fills it. */
    public function slot(string $name): mixed
    {
        $known = (array) get_option(self::SLOTS, []);
        if (!in_array($name, $known, true) && count($known) < self::MAX_SLOTS) {
            // What the cookie says does not cover this slot yet.
            update_option(self::SLOTS, [...$known, $name]);
            defined('DONOTCACHEPAGE') || define('DONOTCACHEPAGE', true);
            return null;
        }
        return $this->mayFill ? $this->decided[$name] ?? null : null;
    }

    /** The site's host, as cookies name it. */
    public static function host(): string
    {
        return (string) wp_parse_url(home_url(), PHP_URL_HOST);
    }

    /** Before anything is sent; false where the server says nothing. */
    private function decide(): bool
    {
        $visitor = $this->visitor();
        $given = is_string($_COOKIE[self::COOKIE] ?? null) ? $_COOKIE[self::COOKIE] : null;
        $slots = (array) get_option(self::SLOTS, []);
        sort($slots);
        $outcome = null;
        $isAway = false;
        if ($visitor !== null && $slots !== []) {
            $features = array_map(fn (string $slot): Feature => $this->remote->feature($slot, $visitor), array_combine($slots, $slots));
            $this->decided = array_map(static fn (Feature $feature): mixed => $feature->value, $features);
            $outcome = substr(hash('sha256', (string) wp_json_encode($this->decided)), 0, 16);
            // A server that answers knows at least one slot.
            $isAway = array_filter($features, static fn (Feature $feature): bool => $feature->source !== 'unknownFeature') === [];
        }
        $this->mayFill = $outcome !== null && $given === $outcome && !$isAway;
        if ($given !== null && !$this->mayFill) {
            // The cache would keep a page for all under what this cookie says.
            defined('DONOTCACHEPAGE') || define('DONOTCACHEPAGE', true);
            nocache_headers();
        }
        if ($given !== $outcome && !$isAway && !headers_sent()) {
            $expires = $outcome === null ? 1 : time() + DAY_IN_SECONDS;
            setcookie(self::COOKIE, $outcome ?? '', ['expires' => $expires, 'path' => '/', 'secure' => is_ssl(), 'httponly' => true, 'samesite' => 'Lax']);
        }
        return !$isAway;
    }

    /** The visitor, as the page's tracker calls them; null where nobody may follow them, or nobody came yet. */
    private function visitor(): ?array
    {
        $read = function (string $entry): array {
            $text = $_COOKIE["rapport_{$this->settings->key}_$entry"] ?? '';
            $value = is_string($text) ? json_decode(wp_unslash($text), true) : null;
            return is_array($value) ? $value : [];
        };
        $id = $read('id')['anonymousId'] ?? null;
        if (!is_string($id) || preg_match('/^[\w-]{8,64}$/', $id) !== 1) {
            return null;
        }
        $consent = array_filter($read('consent'), is_bool(...));
        $visitor = ['anonymousId' => $id, 'consent' => $consent];
        // What differs from page to page would make the answer do so.
        return (array) apply_filters('rapport_visitor', $visitor);
    }
}
