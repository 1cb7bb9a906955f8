"use strict";

const PACKAGE = `stacchip-${process.platform}-${process.arch}`;

function getLoadablePath() {
  try {
    return require.resolve(`${PACKAGE}/stacchip.so`);
  } catch (e) {
    if (e.code !== "MODULE_NOT_FOUND") throw e;
    throw new Error(`the package ${PACKAGE} is not installed: stacchip is built for linux-x64, in a package that npm installs unless told --omit=optional`);
  }
}

function load(db) {
  db.loadExtension(getLoadablePath());
}

module.exports = { getLoadablePath, load };
