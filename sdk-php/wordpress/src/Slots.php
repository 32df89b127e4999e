<?php

declare(strict_types=1);

namespace Rapport\WordPress;

/** Places that show what is decided: `[rapport_slot name="hero"]for all others[/rapport_slot]`, or a block with a slot. */
final class Slots
{
    private const NAME = '/^[\w.-]{1,64}$/';

    /** @param Decisions|null $decisions null where the page fills them */
    public function __construct(private readonly ?Decisions $decisions)
    {
    }

    public function offer(): void
    {
        add_shortcode('rapport_slot', function (mixed $attributes, ?string $content): string {
            $name = (string) ((array) $attributes)['name'];
            // WordPress has closed a paragraph before the content, and opened one behind it.
            $content = preg_replace('~^\s*(?:</p>\s*)?|\s*(?:<p>\s*)?$~', '', (string) $content);
            return $this->shown($name, do_shortcode((string) $content));
        });
        add_filter('render_block', function (string $content, array $block): string {
            $name = $block['attrs']['rapportSlot'] ?? '';
            return is_string($name) && $name !== '' ? $this->shown($name, $content) : $content;
        }, 10, 2);
        $this->decisions?->offer();
    }

    /** The editor asks every block for its slot. */
    public static function offerInEditor(string $file): void
    {
        add_action('enqueue_block_editor_assets', static function () use ($file): void {
            $needs = ['wp-hooks', 'wp-element', 'wp-compose', 'wp-block-editor', 'wp-components'];
            wp_enqueue_script('rapport-editor', plugins_url('assets/editor.js', $file), $needs, '0.1.0', true);
        });
        // Blocks that the server draws refuse attributes that they do not know.
        add_filter('register_block_type_args', static function (array $arguments): array {
            $arguments['attributes'] = ($arguments['attributes'] ?? []) + ['rapportSlot' => ['type' => 'string', 'default' => '']];
            return $arguments;
        });
    }

    private function shown(string $name, string $otherwise): string
    {
        if (preg_match(self::NAME, $name) !== 1) {
            return $otherwise;
        }
        $value = $this->decisions?->slot($name);
        $content = match (true) {
            is_string($value) => esc_html($value),
            is_array($value) && ($value['type'] ?? '') === 'text' => esc_html((string) ($value['text'] ?? '')),
            is_array($value) && ($value['type'] ?? '') === 'html' => wp_kses_post((string) ($value['html'] ?? '')),
            // Fields of JSON are filled in the page.
            default => $otherwise,
        };
        return '<div data-rapport-slot="' . esc_attr($name) . '">' . $content . '</div>';
    }
}
