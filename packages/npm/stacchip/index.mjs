import stacchip from "./index.cjs";

export const { getLoadablePath, load } = stacchip;
