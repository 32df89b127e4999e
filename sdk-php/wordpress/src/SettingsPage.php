<?php

declare(strict_types=1);

namespace Rapport\WordPress;

/** Settings → Rapport. */
final class SettingsPage
{
    private const PAGE = 'rapport';

    public function __construct(private readonly Settings $settings)
    {
    }

    public function offer(): void
    {
        add_action('admin_menu', fn () => add_options_page('Rapport', 'Rapport', 'manage_options', self::PAGE, $this->show(...)));
        add_action('admin_init', function (): void {
            register_setting(self::PAGE, Settings::OPTION, ['type' => 'array', 'sanitize_callback' => $this->taken(...), 'default' => []]);
        });
    }

    /** The secret is never shown: an empty field leaves it as it is. */
    private function taken(mixed $given): array
    {
        $given = (array) $given;
        $checked = Settings::checked($given);
        foreach (['server' => 'The server is an address such as https://rapport.example.com.', 'key' => 'The key begins with wk_.'] as $name => $why) {
            if ($checked[$name] === '' && ($given[$name] ?? '') !== '') {
                add_settings_error(self::PAGE, "rapport-$name", $why);
            }
        }
        if ($checked['secret'] === '' && empty($given['forget'])) {
            $checked['secret'] = $this->settings->secret;
        }
        return $checked;
    }

    private function show(): void
    {
        $field = static function (string $name, string $label, string $value, string $about, string $type = 'text'): void {
            printf(
                '<tr><th scope="row"><label for="rapport-%1$s">%2$s</label></th><td><input class="regular-text" id="rapport-%1$s" type="%5$s" name="%6$s[%1$s]" value="%3$s" autocomplete="off"><p class="description">%4$s</p></td></tr>',
                esc_attr($name),
                esc_html($label),
                esc_attr($value),
                esc_html($about),
                esc_attr($type),
                esc_attr(Settings::OPTION),
            );
        };
        echo '<div class="wrap"><h1>Rapport</h1><form method="post" action="options.php">';
        settings_fields(self::PAGE);
        echo '<table class="form-table" role="presentation">';
        $field('server', 'Server', $this->settings->server, 'Such as https://rapport.example.com', 'url');
        $field('key', 'Write key', $this->settings->key, 'Of the workspace; it may be public.');
        $known = $this->settings->secret === '' ? 'Proves who is signed in. Leave empty to prove nobody.' : 'One is kept. Leave empty to keep it.';
        $field('secret', 'Identity secret', '', $known, 'password');
        printf('<tr><th scope="row">Slots</th><td><fieldset>');
        foreach ([
            Settings::IN_PAGE => 'Fill them in the page: works with every cache.',
            Settings::ON_SERVER => 'Fill them before the page is sent; a page cache must vary by the cookie rapport_vary.',
        ] as $mode => $about) {
            $checked = checked($this->settings->mode, $mode, false);
            printf('<label><input type="radio" name="%s[mode]" value="%s" %s> %s</label><br>', esc_attr(Settings::OPTION), esc_attr($mode), $checked, esc_html($about));
        }
        echo '</fieldset></td></tr></table>';
        submit_button();
        echo '</form></div>';
    }
}
