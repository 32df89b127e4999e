<?php

declare(strict_types=1);

namespace Rapport\WordPress;

use Rapport\IdentityToken;

/** The script tag in the head of every page. */
final class Tag
{
    public function __construct(private readonly Settings $settings, private readonly string $file)
    {
    }

    public function print(): void
    {
        add_action('wp_head', $this->tag(...), 1);
        add_action('wp_head', $this->identify(...), 2);
        if ($this->settings->mode === Settings::ON_SERVER) {
            add_action('wp_enqueue_scripts', function (): void {
                wp_enqueue_script('rapport-vary', plugins_url('assets/vary.js', $this->file), [], '0.1.0', true);
            });
            add_filter('script_loader_tag', $this->marked(...), 10, 2);
        }
    }

    private function tag(): void
    {
        $settings = $this->settings->mode === Settings::ON_SERVER
            // In a cookie this server knows the visitor as the page does.
            ? ['data-rapport' => (string) wp_json_encode(['cookieDomain' => Decisions::host()])]
            : [];
        $source = "{$this->settings->server}/v1/sdk/{$this->settings->key}.js";
        wp_print_script_tag(['async' => true, 'src' => esc_url_raw($source)] + $settings + $this->nonce());
    }

    /** Says who is signed in, with proof; no cache keeps such a page. */
    private function identify(): void
    {
        if (!is_user_logged_in()) {
            return;
        }
        defined('DONOTCACHEPAGE') || define('DONOTCACHEPAGE', true);
        $user = (string) get_current_user_id();
        $call = ['identify', $user, new \stdClass()];
        if ($this->settings->secret !== '') {
            $call[] = ['token' => IdentityToken::sign($this->settings->secret, $user)];
        }
        $json = wp_json_encode($call, JSON_HEX_TAG | JSON_HEX_AMP);
        wp_print_inline_script_tag("(self.rapport = self.rapport || []).push($json);", $this->nonce());
    }

    /** The script learns where to ask, and has the page's nonce. */
    private function marked(string $tag, string $handle): string
    {
        if ($handle !== 'rapport-vary') {
            return $tag;
        }
        $nonce = $this->nonce()['nonce'] ?? null;
        $own = ' data-vary="' . esc_url(rest_url('rapport/v1/vary')) . '"' . ($nonce === null ? '' : ' nonce="' . esc_attr($nonce) . '"');
        return str_replace('<script ', "<script$own ", $tag);
    }

    /** What the site's policy asks of scripts: the filter `rapport_csp_nonce`, or the constant RAPPORT_CSP_NONCE. */
    private function nonce(): array
    {
        $nonce = apply_filters('rapport_csp_nonce', defined('RAPPORT_CSP_NONCE') ? RAPPORT_CSP_NONCE : '');
        return is_string($nonce) && $nonce !== '' ? ['nonce' => $nonce] : [];
    }
}
