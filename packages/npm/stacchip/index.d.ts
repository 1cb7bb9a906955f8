/** What better-sqlite3's Database, node:sqlite's DatabaseSync and Bun's Database have. */
export interface Db {
  loadExtension(file: string, entrypoint?: string): unknown;
}

/** The absolute path of the extension. Throws where the package for this system is not installed. */
export declare function getLoadablePath(): string;

/** Give a connection stacchip's functions and tables. One of node:sqlite is opened with `allowExtension: true`. */
export declare function load(db: Db): void;
