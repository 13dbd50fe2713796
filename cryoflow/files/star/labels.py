"""Types of RELION's columns: text, integer or real.

Only labels used from picking to 2D classification are listed; the type of any other column is inferred from
its values.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal["text", "int", "float", "unknown"]


def _labels(words: str) -> frozenset[str]:
    return frozenset(words.split())


_TEXT_ENDINGS = ("Name", "File", "StarFile", "Image", "Label", "Coordinates")

_TEXT = _labels(
    """
    rlnMicrographNameNoDW rlnMicrographNameEven rlnMicrographNameOdd rlnMicrographMetadata
    rlnCtfPowerSpectrum rlnModelStarFile2 rlnJobOptionVariable rlnJobOptionValue rlnPipeLineEdgeProcess
    rlnPipeLineEdgeFromNode rlnPipeLineEdgeToNode rlnPipeLineProcessAlias rlnSymmetryGroup rlnComment
    rlnTau2FudgeScheme rlnSgdStepsizeScheme rlnFourierMask
    """
)

_INT = _labels(
    """
    rlnClassNumber rlnGroupNumber rlnGroupNrParticles rlnOpticsGroup rlnImageSize rlnImageDimensionality
    rlnNrOfSignificantSamples rlnRandomSubset rlnSelected rlnBeamTiltClass rlnHelicalTubeID
    rlnReferenceDimensionality rlnDataDimensionality rlnOriginalImageSize rlnCurrentImageSize rlnNrClasses
    rlnNrGroups rlnNrOpticsGroups rlnSpectralIndex rlnCurrentIteration rlnNumberOfIterations rlnRandomSeed
    rlnPipeLineJobCounter rlnCtfDataAreCtfPremultiplied
    """
)

_FLOAT = _labels(
    """
    rlnCoordinateX rlnCoordinateY rlnCoordinateZ rlnAnglePsi rlnAngleRot rlnAngleTilt rlnOriginX
    rlnOriginY rlnOriginZ rlnOriginXAngst rlnOriginYAngst rlnOriginZAngst rlnAutopickFigureOfMerit
    rlnParticleSelectZScore rlnVoltage rlnSphericalAberration rlnAmplitudeContrast rlnDefocusU rlnDefocusV
    rlnDefocusAngle rlnPhaseShift rlnCtfBfactor rlnCtfScalefactor rlnCtfFigureOfMerit rlnCtfMaxResolution
    rlnMagnification rlnDetectorPixelSize rlnPixelSize rlnImagePixelSize rlnMicrographPixelSize
    rlnMicrographOriginalPixelSize rlnBeamTiltX rlnBeamTiltY rlnNormCorrection rlnLogLikeliContribution
    rlnMaxValueProbDistribution rlnClassDistribution rlnAccuracyRotations rlnAccuracyTranslations
    rlnAccuracyTranslationsAngst rlnEstimatedResolution rlnOverallFourierCompleteness rlnClassPriorOffsetX
    rlnClassPriorOffsetY rlnPredictedClassScore rlnClassScore rlnCurrentResolution rlnResolution
    rlnAngstromResolution rlnSsnrMap rlnReferenceTau2 rlnReferenceSigma2 rlnSigma2Noise rlnSigmaOffsets
    rlnSigmaOffsetsAngst rlnGroupScaleCorrection rlnNormCorrectionAverage rlnAveragePmax rlnLogLikelihood
    rlnParticleDiameter
    """
)


def kind_of(label: str) -> Kind:
    """Return the type of a column by its name, e.g. ``kind_of("rlnImageName") == "text"``."""
    if label in _TEXT or (label.startswith("rln") and label.endswith(_TEXT_ENDINGS)):
        return "text"
    if label in _INT:
        return "int"
    return "float" if label in _FLOAT else "unknown"
