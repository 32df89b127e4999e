<?php

declare(strict_types=1);

namespace Rapport\Http;

use Rapport\RapportException;

/** No answer came. */
final class Unreachable extends RapportException
{
}
