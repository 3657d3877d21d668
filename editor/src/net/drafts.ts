/** Edits that are not saved, kept in the browser, so that a crash loses a second at most. */

export interface Draft {
  name: string;
  text: string;
  etag: string;
  saved: number;
}

const STORE = "drafts";

function opened(): Promise<IDBDatabase> {
  return new Promise((done, failed) => {
    const asked = indexedDB.open("nodetool", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE, { keyPath: "name" });
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => failed(asked.error);
  });
}

async function inStore<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T | undefined> {
  try {
    const database = await opened();
    return await new Promise<T>((done, failed) => {
      const transaction = database.transaction(STORE, mode, { durability: "strict" });
      const asked = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => {
        database.close();
        done(asked.result);
      };
      transaction.onabort = transaction.onerror = () => failed(transaction.error);
    });
  } catch {
    // A private window may forbid it; the server keeps drafts as well.
    return undefined;
  }
}

export async function keepDraft(draft: Draft): Promise<void> {
  await inStore("readwrite", (store) => store.put(draft));
}

export async function dropDraft(name: string): Promise<void> {
  await inStore("readwrite", (store) => store.delete(name) as IDBRequest<undefined>);
}

/** The last one of those whose name begins so. */
export async function newestDraft(prefix: string): Promise<Draft | undefined> {
  const all = (await inStore<Draft[]>("readonly", (store) => store.getAll())) ?? [];
  return all.filter((one) => one.name.startsWith(prefix)).sort((a, b) => b.saved - a.saved)[0];
}

export function findDraft(name: string): Promise<Draft | undefined> {
  return inStore<Draft>("readonly", (store) => store.get(name));
}
