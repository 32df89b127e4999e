<?php

declare(strict_types=1);

namespace Rapport;

/** What went wrong, where, and what to do. */
class RapportException extends \RuntimeException
{
}
