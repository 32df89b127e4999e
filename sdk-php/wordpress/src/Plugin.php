<?php

declare(strict_types=1);

namespace Rapport\WordPress;

/** Starts what the settings ask for. */
final class Plugin
{
    public static function start(string $file): void
    {
        $settings = Settings::load();
        if (is_admin()) {
            (new SettingsPage($settings))->offer();
        }
        Slots::offerInEditor($file);
        $slots = new Slots($settings->isComplete() && $settings->mode === Settings::ON_SERVER ? new Decisions($settings) : null);
        $slots->offer();
        if ($settings->isComplete()) {
            (new Tag($settings, $file))->print();
        }
    }
}
