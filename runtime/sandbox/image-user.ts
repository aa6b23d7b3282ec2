import type { OciUser } from "./oci-spec.ts";

/** Texts of the image's own `/etc/passwd` and `/etc/group`; empty when it has none. */
export interface UserFiles {
  readonly passwd: string;
  readonly group: string;
}

// Linux ids are 32 bits; the last one means "none" to chown(2) and setresuid(2).
const idMax = 0xffff_fffe;
// NGROUPS_MAX is 65,536, but no image has a user in this many groups.
const additionalGroupsMax = 64;

/**
 * Resolves `User` of an image config (image-spec, config.md): `user`, `uid`, `user:group`, `uid:gid` and mixtures;
 * empty is root. Names count as the image's own files say. Returns a sentence when it cannot be resolved.
 */
export function resolveUser(user: string, files: UserFiles): OciUser | string {
  const [userPart = "", groupPart, ...rest] = user.split(":");
  if (rest.length > 0 || (user !== "" && userPart === "") || groupPart === "") {
    return `its user ${JSON.stringify(user)} is not of the form user[:group]`;
  }
  const accounts = parseAccounts(files.passwd);
  const wantedUser = userPart === "" ? "0" : userPart;
  const uidWanted = parseId(wantedUser);
  const account = accounts.find((candidate) => candidate.name === wantedUser || candidate.uid === uidWanted);
  const uid = uidWanted ?? account?.uid;
  if (uid === undefined) return `its user ${JSON.stringify(userPart)} is not in its /etc/passwd`;

  const groups = parseGroups(files.group);
  if (groupPart !== undefined) {
    const gid = parseId(groupPart) ?? groups.find((group) => group.name === groupPart)?.gid;
    if (gid === undefined) return `its group ${JSON.stringify(groupPart)} is not in its /etc/group`;
    return { uid, gid, additionalGids: [] };
  }
  const gid = account?.gid ?? 0;
  const memberOf = groups.filter((group) => account !== undefined && group.members.includes(account.name));
  const additional = new Set(memberOf.map((group) => group.gid).filter((other) => other !== gid));
  return { uid, gid, additionalGids: [...additional].slice(0, additionalGroupsMax) };
}

const parseId = (text: string): number | undefined =>
  /^\d{1,10}$/.test(text) && Number(text) <= idMax ? Number(text) : undefined;

function parseAccounts(
  passwd: string,
): readonly { readonly name: string; readonly uid: number; readonly gid: number }[] {
  return passwd.split("\n").flatMap((line) => {
    const [name = "", , uidText = "", gidText = ""] = line.split(":");
    const [uid, gid] = [parseId(uidText), parseId(gidText)];
    return name === "" || uid === undefined || gid === undefined ? [] : [{ name, uid, gid }];
  });
}

function parseGroups(
  group: string,
): readonly { readonly name: string; readonly gid: number; readonly members: readonly string[] }[] {
  return group.split("\n").flatMap((line) => {
    const [name = "", , gidText = "", members = ""] = line.split(":");
    const gid = parseId(gidText);
    return name === "" || gid === undefined ? [] : [{ name, gid, members: members.split(",") }];
  });
}
