/** IAB Transparency and Consent Framework 2: `__tcfapi("addEventListener", 2, …)`. */
import type { Choice } from "../consent";

interface TcData {
  readonly gdprApplies?: boolean;
  readonly eventStatus?: "tcloaded" | "cmpuishown" | "useractioncomplete";
  readonly purpose?: { readonly consents?: { readonly [purpose: number]: boolean } };
}

type Tcf = (command: "addEventListener", version: 2, listener: (data: TcData, success: boolean) => void) => void;

/** Purposes of the framework: 1 storage, 5 profiles for content, 6 content by profile, 8 measuring content. */
const STORAGE = 1;
const PURPOSES = { analytics: 8, profiling: 5, personalization: 6 } as const;

const LOOK_MS = 250;
const LOOKS = 240;

export function listenToTcf(choose: (choice: Choice) => void, looks = LOOKS): void {
  const { __tcfapi: tcf } = window as { __tcfapi?: Tcf };
  if (!tcf) {
    // The platform's stub may come later than we.
    if (looks > 0) setTimeout(() => listenToTcf(choose, looks - 1), LOOK_MS);
    return;
  }
  tcf("addEventListener", 2, ({ gdprApplies, eventStatus, purpose }, success) => {
    if (!success || eventStatus === "cmpuishown") return;
    const consents = purpose?.consents ?? {};
    const grants = (id: number) => gdprApplies === false || (consents[STORAGE] === true && consents[id] === true);
    choose({
      analytics: grants(PURPOSES.analytics),
      profiling: grants(PURPOSES.profiling),
      personalization: grants(PURPOSES.personalization),
    });
  });
}
