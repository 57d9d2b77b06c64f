/** The last answers with an ETag, for conditional reads. Pure: time comes in as an argument. */
/** Longer answers are read anew each time: a bound on what is kept. */
const LONGEST_TEXT = 262_144;
/** A bounded number of answers by path and query; the one that was used longest ago goes first. */
export class KeptAnswers {
    #size;
    #kept = new Map();
    constructor(size) {
        this.#size = size;
    }
    get(key) {
        const kept = this.#kept.get(key);
        if (kept !== undefined) {
            this.#kept.delete(key);
            this.#kept.set(key, kept);
        }
        return kept;
    }
    put(key, kept) {
        this.#kept.delete(key);
        if (this.#size === 0 || kept.text.length > LONGEST_TEXT) {
            return;
        }
        this.#kept.set(key, kept);
        for (const oldest of this.#kept.keys()) {
            if (this.#kept.size <= this.#size) {
                break;
            }
            this.#kept.delete(oldest);
        }
    }
}
/** Move `age_seconds` of the predictions in an answer on by `seconds`, in place. */
export function moveAges(value, seconds) {
    moveAge(value, seconds);
    const { data, predictions } = (value ?? {});
    for (const one of [...Object.values(data ?? {}), ...Object.values(predictions ?? {})]) {
        moveAge(one, seconds);
    }
}
function moveAge(value, seconds) {
    const aging = (value ?? {});
    if (typeof aging.age_seconds === "number") {
        aging.age_seconds += seconds;
    }
}
