/** Crawlers say in their user agent what they are. */
const CRAWLER =
  /bot\b|bot[/_;:. -]|crawl|spider|slurp|scrap|archiv|index|fetch|monitor|uptime|checker|validator|preview|facebookexternal|mediapartners|google-|lighthouse|pagespeed|gtmetrix|pingdom|python|curl|wget|java\/|okhttp|axios|node|go-http|libwww|perl|ruby|http[-_]?client|feed|rss|phantomjs|^$/i;
const AUTOMATED = /headless|puppeteer|playwright|selenium|electron/i;

/** A declared crawler, an automated browser, or neither. */
export function botOf({ userAgent, webdriver }: Pick<Navigator, "userAgent" | "webdriver">): "crawler" | "automated" | undefined {
  if (CRAWLER.test(userAgent)) return "crawler";
  return webdriver || AUTOMATED.test(userAgent) ? "automated" : undefined;
}
