"""ISO 4217: the currencies that amounts may have, with their number of decimals.

Funds and units that people are paid in are listed, metals, test and "no currency" codes are not.
Codes withdrawn since 2020 stay, because sales of that time are still imported and refunded.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_BY_EXPONENT: Final = {
    0: "bif clp djf gnf isk jpy kmf krw pyg rwf ugx uyi vnd vuv xaf xof xpf",
    2: """
        aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob bov brl bsd btn bwp byn
        bzd cad cdf che chf chw cny cop cou crc cuc cup cve czk dkk dop dzd egp ern etb eur fjd fkp
        gbp gel ghs gip gmd gtq gyd hkd hnl hrk htg huf idr ils inr irr jmd kes kgs khr kpw kyd kzt
        lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mru mur mvr mwk mxn mxv myr mzn nad ngn nio
        nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sdg sek sgd shp sle sll sos
        srd ssp stn svc syp szl thb tjs tmt top try ttd twd tzs uah usd usn uyu uzs ved ves wst xcd
        xcg yer zar zmw zwg zwl
    """,
    3: "bhd iqd jod kwd lyd omr tnd",
    4: "clf uyw",
}

EXPONENTS: Final[Mapping[str, int]] = MappingProxyType(
    {code: exponent for exponent, codes in _BY_EXPONENT.items() for code in codes.split()}
)
"""Lower-case code → how many decimals its minor unit has: `eur` 2, `jpy` 0, `kwd` 3."""
