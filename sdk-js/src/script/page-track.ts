/** For pages that track only. */
import * as sdk from "../tag";
import { run } from "./run";

run({ sdk });
