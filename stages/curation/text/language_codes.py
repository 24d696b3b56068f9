"""Codes of languages as people write them (EN, eng, en-US, zh_Hant), as the one code that the language model gives.

Input: ISO 639-1, ISO 639-2 and 639-3, or BCP 47, in any case. Output: the label of lid.176, ISO 639-1 where there is
one. A code that the model has no label for is refused, for no document would ever be found in it. Source: ISO 639 and
the model's labels, from general knowledge and checked against what the model gives.
"""

import re
from collections.abc import Iterable

from stages.foundation.errors import InputError

# BCP 47: a language, then script, region and variants; an underscore as POSIX writes it
TAG = re.compile(r"([a-z]{2,3})(?:[-_](?!x[-_])[a-z0-9]{1,8})*", re.IGNORECASE)
LABELS = frozenset(
    """
    af als am an ar arz as ast av az azb ba bar bcl be bg bh bn bo bpy br bs bxr ca cbk ce ceb ckb co cs cv cy da
    de diq dsb dty dv el eml en eo es et eu fa fi fr frr fy ga gd gl gn gom gu gv he hi hif hr hsb ht hu hy ia id
    ie ilo io is it ja jbo jv ka kk km kn ko krc ku kv kw ky la lb lez li lmo lo lrc lt lv mai mg mhr min mk ml mn
    mr mrj ms mt mwl my myv mzn nah nap nds ne new nl nn no oc or os pa pam pfl pl pms pnb ps pt qu rm ro ru rue sa
    sah sc scn sco sd sh si sk sl so sq sr su sv sw ta te tg th tk tl tr tt tyv ug uk ur uz vec vep vi vls vo wa war
    wuu xal xmf yi yo yue zh
    """.split()
)
# other code: label
OTHER_CODES = dict(
    pair.split(":")
    for pair in """
    afr:af amh:am arg:an ara:ar arb:ar asm:as ava:av aze:az azj:az bak:ba bel:be bul:bg bih:bh ben:bn bod:bo
    tib:bo bre:br bos:bs cat:ca che:ce cos:co ces:cs cze:cs chv:cv cym:cy wel:cy dan:da deu:de ger:de div:dv
    ell:el gre:el eng:en epo:eo spa:es est:et ekk:et eus:eu baq:eu fas:fa per:fa pes:fa prs:fa fin:fi fra:fr
    fre:fr fry:fy gle:ga gla:gd glg:gl grn:gn gsw:als guj:gu glv:gv heb:he iw:he hin:hi hrv:hr scr:hr hat:ht
    hun:hu hye:hy arm:hy ina:ia ind:id in:id ile:ie ido:io isl:is ice:is ita:it jpn:ja jav:jv jw:jv kat:ka
    geo:ka kaz:kk khm:km kan:kn kor:ko kur:ku kmr:ku kom:kv cor:kw kir:ky lat:la ltz:lb lim:li lao:lo lit:lt
    lav:lv lvs:lv mlg:mg plt:mg mkd:mk mac:mk mal:ml mon:mn khk:mn mar:mr msa:ms may:ms zsm:ms mlt:mt mya:my
    bur:my nep:ne npi:ne nld:nl dut:nl nno:nn nor:no nob:no nb:no oci:oc ori:or ory:or oss:os pan:pa pol:pl
    pus:ps pbt:ps por:pt que:qu roh:rm ron:ro rum:ro mo:ro mol:ro rus:ru san:sa srd:sc snd:sd hbs:sh sin:si
    slk:sk slo:sk slv:sl som:so sqi:sq alb:sq srp:sr scc:sr sun:su swe:sv swa:sw swh:sw tam:ta tel:te tgk:tg
    tha:th tuk:tk fil:tl tgl:tl tur:tr tat:tt uig:ug ukr:uk urd:ur uzb:uz uzn:uz vie:vi vol:vo wln:wa yid:yi
    ji:yi ydd:yi yor:yo zho:zh chi:zh cmn:zh
    """.split()
)


def model_code(tag: str) -> str | None:
    """The model's label of a code, None where it has none or where this is no code.

    >>> [model_code(tag) for tag in ("EN", "eng", "en-US", "zh_Hant_TW", "nb", "klingon")]
    ['en', 'en', 'en', 'zh', 'no', None]
    """
    found = TAG.fullmatch(tag.strip())
    if found is None:
        return None
    code = found[1].lower()
    code = OTHER_CODES.get(code, code)
    return code if code in LABELS else None


def model_codes(tags: Iterable[str]) -> list[str]:
    """Each language once, in order; InputError names the first code that is not known.

    >>> model_codes(["EN", "eng", "en-US", "de"])
    ['en', 'de']
    """
    found = {tag: model_code(tag) for tag in tags}
    if unknown := [tag for tag, code in found.items() if code is None]:
        raise InputError(
            f"no language {unknown[0][:40]!r} that the language model knows; give codes"
            " of ISO 639 or BCP 47, such as en, eng or en-US"
        )
    return list(dict.fromkeys(code for code in found.values() if code is not None))
