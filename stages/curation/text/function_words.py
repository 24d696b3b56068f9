"""Common function words of languages, and how many characters a word of each takes.

Why: a text is written in the language whose function words it holds, Gopher's rule asks for them, and a limit in
characters that was set for English fits another language once it is scaled by the length of its words.
Source: FUNCTION_WORDS is ours, written from general knowledge of the languages, no other tool's list.
MEASURED is measured on Django's message catalogues, all messages of over 24 characters beside the English ones:
letters, marks and digits a word between spaces (for languages without spaces, characters that say as much as one
English word does), how many words, and how many words without a letter.
Function words of INSIDE are looked for anywhere, for they are not set off by spaces; those of the others stand alone.
"""

from typing import NamedTuple

ENGLISH = "en"
FUNCTION_WORDS: dict[str, str] = {
    ENGLISH: (
        "the of and to in is that for it was on with as are by this be not or have from"
        " at which but an they you we his her their has had were can will if when there"
    ),
    "af": "die van en het nie vir op met dat te om aan moet wees word hierdie sal deur",
    "ar": "في من على أن إلى التي عن مع هذا لا ما هذه الذي كان أو هو كل لم قد أي إن",
    "az": "və bir bu üçün ilə də olan daha kimi ki var deyil ya hər bu da",
    "be": "і ў не на што з да як але для гэта ад за або пра яго быў калі гэты гэтага",
    "bg": "и на да се за от не са това по ще като или този при до със бъде този е",
    "bn": "এবং এই করা একটি না হয় থেকে জন্য ও যে করে অথবা আপনার করুন বা সঙ্গে এটি",
    "br": "ar an ha da eus en er hag war evit gant eo pe ket vez ur un gant bet ned",
    "ca": "de la que el en els del les per un amb una no es al com més és ha aquest són",
    "cs": "se na je že to do pro by jako za od ale pokud nebo jsou být který není ve",
    "cy": "yn yr mae ac ar am wedi gan fod neu ei hyn oedd nid eich hwn rhaid dim bod",
    "da": "og at det er en til på af for med den ikke der som har et de fra kan eller",
    "de": (
        "der die und das den von zu mit sich des auf für ist im dem nicht ein eine als"
        " auch es an werden aus hat dass sie nach wird bei einer um sind wie oder kann"
    ),
    "el": "και το να της η του τα με για από είναι την στο που δεν οι θα των ή στη σε",
    "eo": "la de kaj en estas por al ne kun ke el pri vi ĉi aŭ oni ili tiu estis",
    "es": (
        "de la que el en los se del las por un para con no una su al lo como más pero"
        " sus este esta entre cuando es ser ha"
    ),
    "et": "ja on ei see et oli ka kui ta aga mis või seda siis oma selle peab olema",
    "eu": "eta da ez bat du dira izan den hau edo baina ere dituen behar dute zen",
    "fa": "و در به از که این را با است برای آن یا نیست می هر شده تا شما باید",
    "fi": "ja on ei se että oli ovat hän mutta kun tai joka myös voi ole sen kuin tämä",
    "fr": (
        "de la le les et des en un une du que dans est pour qui sur pas au par plus ce"
        " avec ne se sont il aux ou mais vous nous cette être"
    ),
    "ga": "an na agus ar is le go do sé bhí ag nach sin leis nó gur tá bheith seo",
    "gd": "agus an na airson aig air bha tha do le gu nach seo ach ri cha gun bidh am",
    "gl": "de que do da en un para con non unha os se na por máis as dos como ao este",
    "he": "את של על לא זה עם הוא כי גם היא או אם כל אל אין יש זו להיות ידי",
    "hi": "के में है की और से का को पर यह ने हैं कि नहीं एक लिए इस या तो भी",
    "hr": "je na se da za su od što nije ili koji kao sa iz ne biti može ovo nisu",
    "hu": "az és hogy nem egy is ez meg van de volt csak ha vagy mint kell már ezt",
    "id": "yang dan di dengan untuk dari ini pada tidak adalah dalam akan itu atau ke",
    "is": "og að er sem til við um það hann en var ekki með fyrir af þess eru eða verður",
    "it": (
        "di che la il un per una sono si con non del le da al come più ma dei della nel"
        " alla gli anche questo ha è essere"
    ),
    "ja": "の に は を た が で て と し れ さ も",
    "kk": "және бір бұл үшін мен де да бар жоқ болып керек деп емес болуы немесе",
    "km": "និង នៃ ជា ការ នៅ មាន ដែល បាន ក្នុង មិន ទៅ នេះ",
    "ko": "은 는 이 가 을 를 의 에 다 고 도 한",
    "la": "et in est non ad ut cum quod qui sed ex atque esse quae per hoc si ab sunt",
    "lo": "ທີ່ ການ ແລະ ຂອງ ໃນ ເປັນ ມີ ໄດ້ ໃຫ້ ຈະ ບໍ່ ນີ້",
    "lt": "ir yra kad į su iš tai bet kaip ar nuo už buvo būti tik gali šis dėl arba turi",
    "lv": "un ir uz no ar par kas ka tas bet vai lai tika kā arī var pēc šo nav jābūt",
    "mk": "и на да се во за од не со што ќе ова или тоа како биде е мора",
    "mn": "нь байна бол энэ юм ба гэж байх нэг гэсэн болно эсвэл байгаа та",
    "mr": "आणि आहे या हे की नाही तो ते व एक असे किंवा आहेत ही हा करा कृपया",
    "my": "သည် ၏ ကို မှ တွင် များ နှင့် ဖြစ် သော မ တစ်",
    "ne": "र को छ मा हो यो पनि लागि भएको छन् गर्न वा हुन एक तपाईं छैन यस",
    "nl": "de van het een en is dat op te zijn met voor niet aan om ook als dan maar bij",
    "nn": "og det er på til som ein av for med at den ikkje har eit dei om frå eller",
    "no": "og det er på til som en av for med at den ikke har et de om fra kan eller",
    "pl": "nie na się jest do że to jak za od dla po przez lub oraz być są czy może",
    "pt": (
        "de que do da em um para com não uma os no se na por mais as dos como mas ao"
        " das ou ser este esta"
    ),
    "ro": "de și în la cu pe nu din este sau care un că pentru să mai fi au cel acest",
    "ru": "и в не на что с по это как но из для к за от то его был или так при если",
    "sk": "sa na je že to do pre by ako za od ale ak alebo sú byť ktorý nie vo",
    "sl": "je na se da za so ki bi pa ni kot od ali po do biti lahko ne in",
    "sq": "dhe në të është për që nga me një ka si duhet ose jo kjo nuk",
    "sr": "и у је на се да за су од што није или који као са из не бити може",
    "sv": "och att det som en på är av för med den till inte har om ett från kan eller",
    "sw": "ya wa na kwa ni katika za la hii cha kuwa au yako kama lazima huu hiyo",
    "ta": "மற்றும் ஒரு இந்த அல்லது என்று உள்ள இல்லை என இது அந்த வேண்டும்",
    "th": "ที่ การ และ ของ ใน เป็น มี ได้ ให้ จะ ไม่ ว่า นี้",
    "tl": "ang ng mga sa at ay ito hindi para may kung siya niya ni isang na",
    "tr": "ve bir bu için ile da de olarak ne çok daha gibi var olan veya değil kadar her",
    "uk": "і в не на що з до це як але та для за від є або про його чи був при якщо",
    "ur": "کے میں کی ہے اور سے کا کو نے پر یہ ہیں کہ نہیں ایک اس یا",
    "vi": "và của là có cho không được một các trong với này để những khi người đã từ",
    "zh": "的 是 在 了 不 和 有 我 这 這 个 個 为 為 以 与 與 会 會",
}
INSIDE = ("ja", "km", "ko", "lo", "my", "th", "zh")


class Measured(NamedTuple):
    """What a text of a language has beside the same text in English."""

    word_chars: float  # characters a word
    words: float  # as a share of the English words
    marks: float  # words without a letter a word with one, as a share of English's


# Latin's, Lao's and Tagalog's are assumed: Django has no catalogues of them
MEASURED = {
    lang: Measured(*map(float, sizes))
    for lang, *sizes in (
        row.split(":")
        for row in """
    en:4.7:1.0:1.0 af:4.8:1.0:1.17 ar:4.5:0.89:0.96 az:6.0:0.81:1.19 be:5.7:0.86:1.4 bg:5.2:0.97:1.14
    bn:5.0:0.98:1.06 ca:4.6:1.1:0.97 cs:5.5:0.88:1.2 cy:4.6:1.07:0.96 da:5.2:0.94:1.09 de:5.9:0.95:1.28
    el:5.5:1.05:0.89 eo:5.1:0.98:1.13 es:5.1:1.05:0.9 et:6.1:0.79:1.25 eu:6.2:0.81:1.35 fa:3.9:1.09:0.84
    fi:6.6:0.74:1.43 fr:4.7:1.23:1.02 ga:4.8:1.12:0.83 gl:5.0:1.02:0.9 he:4.3:0.8:1.12 hi:4.1:1.13:0.79
    hr:5.7:0.89:1.17 hu:5.8:0.88:1.31 id:5.8:0.88:1.07 is:4.8:0.96:0.99 it:5.2:1.02:0.96 ja:2.7:1.0:1.0
    kk:6.4:0.75:1.3 km:4.9:1.0:1.0 ko:3.1:0.73:1.19 la:5.5:1.0:1.0 lo:4.8:1.0:1.0 lt:6.6:0.79:1.3
    lv:5.9:0.8:1.34 mk:5.2:1.03:0.89 mn:5.6:0.83:1.12 mr:5.4:0.93:0.97 my:5.0:1.0:1.0 ne:5.2:0.81:1.18
    nl:5.3:0.99:0.99 nn:5.0:0.92:1.08 no:5.0:0.92:1.14 pl:5.7:0.92:1.16 pt:5.0:1.05:1.08
    ro:5.1:1.02:1.01 ru:5.9:0.93:1.26 sk:5.6:0.86:1.19 sl:5.4:0.88:1.16 sq:4.8:1.08:1.06
    sr:5.3:0.91:1.05 sv:5.3:0.91:1.05 sw:5.8:0.86:0.95 ta:7.9:0.69:1.06 th:4.7:1.0:1.0 tl:4.8:1.0:1.0
    tr:6.3:0.84:1.11 uk:5.6:0.89:1.28 ur:3.6:1.28:0.83 vi:3.4:1.27:0.62 zh:1.7:1.0:1.0 br:4.1:1.34:1.02 gd:4.5:1.33:1.24
    """.split()
    )
}
WORD_CHARS = {lang: found.word_chars for lang, found in MEASURED.items()}
# assumed, of the scripts without spaces that no language of the table is written in
UNKNOWN_WORD_CHARS = 4.7


def script_word_chars(script: str) -> float:
    """Characters that stand for a word in a script without spaces."""
    return SCRIPT_WORD_CHARS.get(script, UNKNOWN_WORD_CHARS)


SCRIPT_WORD_CHARS = {
    "Hani": WORD_CHARS["zh"],
    "Jpan": WORD_CHARS["ja"],
    "Khmr": WORD_CHARS["km"],
    "Laoo": WORD_CHARS["lo"],
    "Mymr": WORD_CHARS["my"],
    "Thai": WORD_CHARS["th"],
}
