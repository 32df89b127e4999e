#!/bin/sh
# Installs the SDK from its folder into a clean project, as composer does it anywhere, and asks it something.
#   tests/install.sh          prints `ok` at the end
set -eu
sdk=$(cd "$(dirname "$0")/.." && pwd)
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
cd "$project"
export COMPOSER_HOME="$project/.composer" COMPOSER_ALLOW_SUPERUSER=1 COMPOSER_NO_INTERACTION=1
# Copied, not linked: what is missing in the package is missing in the project.
cat > composer.json <<END
{"repositories": [{"type": "path", "url": "$sdk", "options": {"symlink": false}}, {"packagist.org": false}], "minimum-stability": "dev"}
END
composer require --quiet rapport/sdk:@dev
cat > ask.php <<'END'
<?php
require 'vendor/autoload.php';
$rapport = Rapport\Local::ofPayload('{"features": {"hero": {"defaultValue": "a", "rules": [{"force": "b", "condition": {"country": "DE"}}]}}}');
echo $rapport->feature('hero', ['attributes' => ['country' => 'DE']])->value, "\n";
END
unset RAPPORT_LIBRARY
test "$(php ask.php)" = b
echo ok
