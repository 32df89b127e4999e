/** For pages that track only. */
import { unmask } from "../personalize/mask";
import * as sdk from "../tag";
import { run } from "./run";

// Nothing is published that would change what a site masks.
unmask();
run({ sdk });
