#!/usr/bin/env bash
# The change between BASE and CANDIDATE, judged against TASK as it stands in BASE; also usable by hand, and as a pre-merge hook.
# Ends with the exit code of `autosota audit` (docs/auditing.md), so a rejected change fails the check.
set -uo pipefail
: "${TASK:=autosota.toml}" "${BASE:?the revision to measure against}" "${CANDIDATE:?the revision to judge}" "${STATIC:=true}"
place=$(mktemp -d)
trap 'git worktree remove --force "$place/base" >/dev/null 2>&1; rm -rf "$place"' EXIT
git rev-parse --quiet --verify "$CANDIDATE^{commit}" >/dev/null || git fetch --quiet --depth=1 origin "$CANDIDATE" || exit 2
git rev-parse --quiet --verify "$BASE^{commit}" >/dev/null || git fetch --quiet --depth=1 origin "$BASE" || exit 2
git worktree add --quiet --detach "$place/base" "$BASE" || exit 2
flags=()
[ "$STATIC" = true ] && flags+=(--static)
# shellcheck disable=SC2206 - several flags in one variable
flags+=(${ARGUMENTS:-})
autosota audit --task "$place/base/$TASK" --candidate "$(git rev-parse "$CANDIDATE")" --out "$place/records" --json "${flags[@]}" \
  >"$place/result.json"
code=$?
grade=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1])).get("grade") or "")' "$place/result.json")
[ -n "${GITHUB_OUTPUT:-}" ] && echo "grade=$grade" >>"$GITHUB_OUTPUT"
python3 - "$place/result.json" <<'PY' | tee -a "${GITHUB_STEP_SUMMARY:-/dev/null}"
import json, sys
result = json.load(open(sys.argv[1]))
if "error" in result:
    print(f"autosota could not judge the change: {result['error']['message']}\n\n{result['error']['hint']}")
else:
    print(f"**autosota audit: {result['grade'] or 'clean'}** ({result['assurance']})\n")
    for found in result["violations"]:
        place = f"`{found['file']}:{found['line'] or 1}`: " if found["file"] else ""
        print(f"- {found['red_line'] or ''} `{found['rule']}`, {found['action']}: {place}{found['evidence']}")
PY
exit "$code"
