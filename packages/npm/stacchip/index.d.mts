export { Db, getLoadablePath, load } from "./index.js";
